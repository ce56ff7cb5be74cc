import { createHash } from 'node:crypto';
import type { Client } from '@grpc/grpc-js';
import type { Identity, Signer } from '@hyperledger/fabric-gateway';
import { discovery, msp, peer } from '@hyperledger/fabric-protos';

/** Who asks, and how it signs. */
export interface SigningIdentity {
  readonly identity: Identity;
  readonly signer: Signer;
}

const CALL_DEADLINE_MS = 5000;
/** Path, encoding and decoding as in the Discovery service of fabric-protos. */
const DISCOVER = '/discovery.Discovery/Discover';

/**
 * Asks a peer which peers must endorse for a chaincode; resolves when it has at least one plan.
 * Until
 * gossip has told it of the other organisation it has none.
 *
 * @throws Error with the peer's reason.
 */
export async function discoverEndorsers(
  client: Client,
  signing: SigningIdentity,
  channel: string,
  chaincode: string,
): Promise<void> {
  const payload = request(signing.identity, channel, chaincode).serializeBinary();
  const signed = new discovery.SignedRequest();
  signed.setPayload(payload);
  signed.setSignature(await signing.signer(createHash('sha256').update(payload).digest()));
  const result = (await call(client, signed)).getResultsList()[0];
  const plans = result?.getCcQueryRes()?.getContentList()[0]?.getLayoutsList().length ?? 0;
  if (plans > 0) return;
  throw new Error(result?.getError()?.getContent() ?? 'discovery has no endorsers yet');
}

function request(identity: Identity, channel: string, chaincode: string): discovery.Request {
  const serialized = new msp.SerializedIdentity();
  serialized.setMspid(identity.mspId);
  serialized.setIdBytes(identity.credentials);
  const authentication = new discovery.AuthInfo();
  authentication.setClientIdentity(serialized.serializeBinary());
  const chaincodeCall = new peer.ChaincodeCall();
  chaincodeCall.setName(chaincode);
  const interest = new peer.ChaincodeInterest();
  interest.setChaincodesList([chaincodeCall]);
  const chaincodeQuery = new discovery.ChaincodeQuery();
  chaincodeQuery.setInterestsList([interest]);
  const query = new discovery.Query();
  query.setChannel(channel);
  query.setCcQuery(chaincodeQuery);
  const result = new discovery.Request();
  result.setAuthentication(authentication);
  result.setQueriesList([query]);
  return result;
}

function call(client: Client, signed: discovery.SignedRequest): Promise<discovery.Response> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      DISCOVER,
      (message: discovery.SignedRequest) => Buffer.from(message.serializeBinary()),
      (bytes) => discovery.Response.deserializeBinary(bytes),
      signed,
      { deadline: Date.now() + CALL_DEADLINE_MS },
      (error, response) => {
        if (error !== null) reject(error);
        else if (response === undefined) reject(new Error('discovery answered nothing'));
        else resolve(response);
      },
    );
  });
}
