/** Ways to tamper with a recorded chain, by Fabric's own messages and not by the verifier's code. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { common, msp, peer } from '@hyperledger/fabric-protos';
import {
  readAction,
  readChannelHeader,
  readEnvelope,
  readPayload,
  readSimulation,
} from '../../bridge/src/verify/envelope.ts';
import { type AccessSet, readAccessSets } from '../../bridge/src/verify/rwset.ts';
import { Updates, versionBytes } from '../../bridge/src/verify/updates.ts';
import { bytesField } from '../../bridge/src/verify/wire.ts';
import { headerHash } from './independent.ts';

export type Chain = readonly Uint8Array[];

/** A chain whose block `at` is another one. */
export function replaced(chain: Chain, at: number, bytes: Uint8Array): Uint8Array[] {
  return chain.map((each, index) => (index === at ? bytes : each));
}

/** Changes one block by Fabric's message of it. */
export function changed(chain: Chain, at: number, change: (block: common.Block) => void): Chain {
  const block = blockAt(chain, at);
  change(block);
  return replaced(chain, at, block.serializeBinary());
}

export function blockAt(chain: Chain, at: number): common.Block {
  return common.Block.deserializeBinary(chain[at] ?? new Uint8Array());
}

export const entriesOf = (block: common.Block): Uint8Array[] =>
  block.getData()?.getDataList_asU8() ?? [];

/** Puts other entries into a block, and the hash of them into its header if that is wanted. */
export function setEntries(block: common.Block, entries: Uint8Array[], isHashed: boolean): void {
  block.getData()?.setDataList(entries);
  if (isHashed) {
    const hash = createHash('sha256').update(Buffer.concat(entries)).digest();
    block.getHeader()?.setDataHash(hash);
  }
}

const SLOTS = { signatures: 0, lastConfig: 1, codes: 2, orderer: 3, commitHash: 4 } as const;

export type Slot = keyof typeof SLOTS;

export function slotOf(block: common.Block, slot: Slot): Uint8Array {
  return block.getMetadata()?.getMetadataList_asU8()[SLOTS[slot]] ?? new Uint8Array();
}

export function setSlot(block: common.Block, slot: Slot, bytes: Uint8Array): void {
  const list = block.getMetadata()?.getMetadataList_asU8() ?? [];
  list[SLOTS[slot]] = bytes;
  block.getMetadata()?.setMetadataList(list);
}

export function changeSignatures(
  block: common.Block,
  change: (metadata: common.Metadata, all: common.MetadataSignature[]) => void,
): void {
  const metadata = common.Metadata.deserializeBinary(slotOf(block, 'signatures'));
  change(metadata, metadata.getSignaturesList());
  setSlot(block, 'signatures', metadata.serializeBinary());
}

/** Every block from `from` on names the block before it as it is now. */
export function relinked(chain: Chain, from: number): Chain {
  const blocks = [...chain];
  for (let at = from; at < blocks.length; at++) {
    const block = blockAt(blocks, at);
    block.getHeader()?.setPreviousHash(Buffer.from(headerHash(blockAt(blocks, at - 1)), 'hex'));
    blocks[at] = block.serializeBinary();
  }
  return blocks;
}

/** Flips one bit of bytes. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** Curves that certificates may have, and their orders. */
export const ORDERS = {
  'P-224': 0xffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3dn,
  'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  'P-384':
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  'P-521':
    0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
} as const;

/** The other signature of the same message that anybody can make of one: with n - s for s. */
export function highS(signature: Uint8Array, curve: keyof typeof ORDERS = 'P-256'): Uint8Array {
  const rAt = (signature[1] ?? 0) > 0x80 ? 3 : 2;
  const sAt = rAt + 2 + (signature[rAt + 1] ?? 0);
  const s = BigInt(`0x${Buffer.from(signature.subarray(sAt + 2)).toString('hex')}`);
  const other = (ORDERS[curve] - s).toString(16);
  const digits = Buffer.from(other.padStart(other.length + (other.length % 2), '0'), 'hex');
  const body = (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
  const pair = Buffer.concat([signature.subarray(rAt, sAt), Buffer.from([2, body.length]), body]);
  const length = pair.length < 0x80 ? [pair.length] : [0x81, pair.length];
  return Buffer.concat([Buffer.from([0x30, ...length]), pair]);
}

/** A signature that is right, by a key that nobody has certified. */
export function foreignSignature(message: Uint8Array): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return sign('sha256', message, privateKey);
}

/** The creator of a transaction, as a signer of blocks would name itself. */
export function creatorOf(entry: Uint8Array): msp.SerializedIdentity {
  const envelope = common.Envelope.deserializeBinary(entry);
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const header = common.SignatureHeader.deserializeBinary(
    payload.getHeader()?.getSignatureHeader_asU8() ?? new Uint8Array(),
  );
  return msp.SerializedIdentity.deserializeBinary(header.getCreator_asU8());
}

/** An entry with other endorsements, its own signatures as they were. */
export function reendorsed(
  entry: Uint8Array,
  change: (endorsements: peer.Endorsement[]) => peer.Endorsement[],
): Uint8Array {
  const envelope = common.Envelope.deserializeBinary(entry);
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const transaction = peer.Transaction.deserializeBinary(payload.getData_asU8());
  const [action] = transaction.getActionsList();
  const bytes = action?.getPayload_asU8() ?? new Uint8Array();
  const endorsed = peer.ChaincodeActionPayload.deserializeBinary(bytes);
  const all = endorsed.getAction()?.getEndorsementsList() ?? [];
  endorsed.getAction()?.setEndorsementsList(change(all));
  action?.setPayload(endorsed.serializeBinary());
  payload.setData(transaction.serializeBinary());
  envelope.setPayload(payload.serializeBinary());
  return envelope.serializeBinary();
}

/** States the commit hashes anew from a block on, as somebody would who knows how. */
export function recommitted(chain: Chain, from: number): Chain {
  const blocks = [...chain];
  for (let at = from; at < blocks.length; at++) {
    const block = blockAt(blocks, at);
    const codes = slotOf(block, 'codes');
    const hash = createHash('sha256')
      .update(Buffer.from([codes.length]))
      .update(codes);
    const updates = new Updates();
    entriesOf(block).forEach((entry, index) => {
      const isValid = codes[index] === 0;
      updates.apply(isValid ? setsOf(entry) : [], versionBytes(BigInt(at), index));
    });
    updates.hashInto(hash);
    const before = at === 1 ? new Uint8Array() : commitHashOf(blockAt(blocks, at - 1));
    setCommitHash(block, hash.update(before).digest());
    blocks[at] = block.serializeBinary();
  }
  return blocks;
}

/** A config writes nothing that a commit hash covers. */
function setsOf(entry: Uint8Array): AccessSet[] {
  const { header, data } = readPayload(readEnvelope(entry).payload);
  const { type } = readChannelHeader(bytesField(header ?? data, 1));
  const action = type === ENDORSER_TRANSACTION ? readAction(data) : null;
  return action === null ? [] : readAccessSets(readSimulation(action.responsePayload).results);
}

const ENDORSER_TRANSACTION = 3n;

export function commitHashOf(block: common.Block): Uint8Array {
  return common.Metadata.deserializeBinary(slotOf(block, 'commitHash')).getValue_asU8();
}

export function setCommitHash(block: common.Block, hash: Uint8Array): void {
  const metadata = new common.Metadata();
  metadata.setValue(hash);
  setSlot(block, 'commitHash', metadata.serializeBinary());
}
