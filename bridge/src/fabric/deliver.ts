/**
 * The exact bytes of blocks from the peer's deliver service. The gateway's own block events are
 * decoded messages; here the answer is only opened, so that what is published is what was sent.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import type { Network, Signer } from '@hyperledger/fabric-gateway';
import { common } from '@hyperledger/fabric-protos';
import { ShuttleError } from '../errors.ts';

const DELIVER = '/protos.Deliver/Deliver';

type BlockStream = ClientDuplexStream<Buffer, Buffer>;

/** Opens the stream of blocks from `from` on; it ends with an error or by `cancel`. */
export async function openBlockStream(
  client: Client,
  network: Network,
  signer: Signer,
  from: bigint,
): Promise<BlockStream> {
  const request = network.newBlockEventsRequest({ startBlock: from });
  const envelope = common.Envelope.deserializeBinary(request.getBytes());
  envelope.setSignature(await signer(request.getDigest()));
  const same = (bytes: Buffer): Buffer => bytes;
  const stream: BlockStream = client.makeBidiStreamRequest(DELIVER, same, same);
  stream.write(Buffer.from(envelope.serializeBinary()));
  return stream;
}

/**
 * The block in a DeliverResponse, as a view.
 *
 * @throws ShuttleError ACCESS_DENIED, FABRIC_UNREACHABLE when the peer answers with a status
 */
export function blockOf(response: Uint8Array, peer: string): Uint8Array {
  const reader = new BinaryReader(response);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 2) {
      return reader.bytes();
    }
    if (field === 1) {
      throw statusError(reader.int32(), peer);
    }
    reader.skip(wireType);
  }
  throw new ShuttleError('FABRIC_UNREACHABLE', `${peer} sent an empty deliver response.`);
}

function statusError(status: number, peer: string): ShuttleError {
  const denied = status === common.Status.FORBIDDEN;
  return new ShuttleError(
    denied ? 'ACCESS_DENIED' : 'FABRIC_UNREACHABLE',
    `${peer} ended the block stream with status ${status}.`,
    { at: { peer, status } },
  );
}
