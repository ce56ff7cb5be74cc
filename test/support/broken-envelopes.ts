/** Makes a payload of an endorsed one that ordering takes and peers refuse. */
import { common, peer } from '@hyperledger/fabric-protos';

/** Says another transaction id than nonce and creator give. */
export function withAnotherTxId(envelope: common.Envelope): Uint8Array {
  return withChannelHeader(envelope, (header) => header.setTxId('00'.repeat(32)));
}

/** Says that it is no transaction. */
export function withoutItsType(envelope: common.Envelope): Uint8Array {
  return withChannelHeader(envelope, (header) => header.setType(common.HeaderType.MESSAGE));
}

/** Holds bytes that are no transaction. */
export function withGarbage(envelope: common.Envelope): Uint8Array {
  const payload = payloadOf(envelope);
  payload.setData(new Uint8Array(40).fill(0xff));
  return payload.serializeBinary();
}

/** Holds no transaction at all. */
export function withoutData(envelope: common.Envelope): Uint8Array {
  const payload = payloadOf(envelope);
  payload.setData('');
  return payload.serializeBinary();
}

/** Names the first endorser twice and leaves the others out. */
export function withOneEndorsementTwice(envelope: common.Envelope): Uint8Array {
  return withEndorsements(envelope, ([first]) => (first === undefined ? [] : [first, first]));
}

/** Gives each endorser the signature of the other. */
export function withSwappedSignatures(envelope: common.Envelope): Uint8Array {
  return withEndorsements(envelope, (endorsements) => {
    const signatures = endorsements.map((each) => each.getSignature_asU8()).reverse();
    for (const [index, each] of endorsements.entries()) each.setSignature(signatures[index] ?? '');
    return endorsements;
  });
}

/** Says that the chaincode answered something else than what was endorsed. */
export function withAnotherAnswer(envelope: common.Envelope): Uint8Array {
  return withAction(envelope, (action) => {
    const response = peer.ProposalResponsePayload.deserializeBinary(
      action.getProposalResponsePayload_asU8(),
    );
    const content = peer.ChaincodeAction.deserializeBinary(response.getExtension_asU8());
    content.getResponse()?.setMessage('another answer');
    response.setExtension$(content.serializeBinary());
    action.setProposalResponsePayload(response.serializeBinary());
  });
}

function payloadOf(envelope: common.Envelope): common.Payload {
  return common.Payload.deserializeBinary(envelope.getPayload_asU8());
}

function withChannelHeader(
  envelope: common.Envelope,
  change: (header: common.ChannelHeader) => void,
): Uint8Array {
  const payload = payloadOf(envelope);
  const bytes = payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array();
  const header = common.ChannelHeader.deserializeBinary(bytes);
  change(header);
  payload.getHeader()?.setChannelHeader(header.serializeBinary());
  return payload.serializeBinary();
}

function withEndorsements(
  envelope: common.Envelope,
  change: (endorsements: peer.Endorsement[]) => peer.Endorsement[],
): Uint8Array {
  return withAction(envelope, (action) => {
    action.setEndorsementsList(change(action.getEndorsementsList()));
  });
}

function withAction(
  envelope: common.Envelope,
  change: (action: peer.ChaincodeEndorsedAction) => void,
): Uint8Array {
  const payload = payloadOf(envelope);
  const transaction = peer.Transaction.deserializeBinary(payload.getData_asU8());
  const [first] = transaction.getActionsList();
  const content = peer.ChaincodeActionPayload.deserializeBinary(
    first?.getPayload_asU8() ?? new Uint8Array(),
  );
  const action = content.getAction();
  if (first === undefined || action === undefined) throw new Error('no action to change');
  change(action);
  first.setPayload(content.serializeBinary());
  payload.setData(transaction.serializeBinary());
  return payload.serializeBinary();
}
