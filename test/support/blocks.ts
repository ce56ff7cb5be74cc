/**
 * Blocks as a peer serves them, made with Fabric's own generated encoders: what the bridge reads
 * with its own reader is written here by somebody else's code.
 */
import { createHash } from 'node:crypto';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { common, ledger, msp, peer } from '@hyperledger/fabric-protos';
import { encodeEnvelope, type Version } from '@shuttle/chaincode/envelope';
import { type BatchHeader, encodeHeader, shortId } from '@shuttle/chaincode/wire';

export const CHANNEL = 'mychannel';
export const CHAINCODE = 'shuttle';
export const MSP_ID = 'Org1MSP';

export interface WriteSpec {
  readonly key: string;
  /** Null deletes the key. */
  readonly value: Uint8Array | string | null;
}

export interface TransactionSpec {
  readonly type?: number;
  readonly txId?: string;
  readonly mspId?: string;
  readonly chaincode?: string;
  readonly args?: readonly (string | Uint8Array)[];
  readonly writes?: Readonly<Record<string, readonly WriteSpec[]>>;
  /** What the chaincode answered. */
  readonly response?: string;
  readonly event?: { readonly name: string; readonly payload: string };
  /** [seconds, nanos]; null leaves it out. */
  readonly timestamp?: readonly [number, number] | null;
  /** peer.TxValidationCode */
  readonly code?: number;
  /** Stands in for the whole envelope. */
  readonly entry?: Uint8Array;
}

export interface BuiltBlock {
  readonly number: bigint;
  readonly bytes: Uint8Array;
  /** Header hash, lower-case hex. */
  readonly hash: string;
}

const bytesOf = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? Buffer.from(value) : value;

/** SHA-256 of the header's DER, put together independently of the bridge. */
export function derHash(number: number, previous: Uint8Array, data: Uint8Array): string {
  let digits = number.toString(16);
  digits = digits.length % 2 === 0 ? digits : `0${digits}`;
  digits = Number.parseInt(digits.slice(0, 2), 16) > 127 ? `00${digits}` : digits;
  const part = (tag: string, hex: string): string =>
    tag + (hex.length / 2).toString(16).padStart(2, '0') + hex;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const body = part('02', digits) + part('04', hex(previous)) + part('04', hex(data));
  return createHash('sha256')
    .update(Buffer.from(part('30', body), 'hex'))
    .digest('hex');
}

export function buildEntry(spec: TransactionSpec, channel = CHANNEL): Uint8Array {
  if (spec.entry !== undefined) {
    return spec.entry;
  }
  const type = spec.type ?? common.HeaderType.ENDORSER_TRANSACTION;
  const channelHeader = new common.ChannelHeader();
  channelHeader.setType(type as common.HeaderTypeMap[keyof common.HeaderTypeMap]);
  channelHeader.setVersion(1);
  channelHeader.setChannelId(channel);
  channelHeader.setTxId(spec.txId ?? '');
  const identity = new msp.SerializedIdentity();
  identity.setMspid(spec.mspId ?? MSP_ID);
  identity.setIdBytes(Buffer.from('certificate'));
  const signatureHeader = new common.SignatureHeader();
  signatureHeader.setCreator(identity.serializeBinary());
  signatureHeader.setNonce(Buffer.alloc(24, 7));
  const header = new common.Header();
  header.setChannelHeader(
    Buffer.concat([channelHeader.serializeBinary(), timestampField(spec.timestamp)]),
  );
  header.setSignatureHeader(signatureHeader.serializeBinary());
  const payload = new common.Payload();
  payload.setHeader(header);
  const endorsed = type === common.HeaderType.ENDORSER_TRANSACTION;
  payload.setData(endorsed ? buildTransaction(spec) : Buffer.from('config envelope'));
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  envelope.setSignature(Buffer.alloc(70, 9));
  return envelope.serializeBinary();
}

/** common.ChannelHeader.timestamp; behind the other fields it means the same. */
function timestampField(timestamp: TransactionSpec['timestamp']): Uint8Array {
  if (timestamp === null) {
    return new Uint8Array();
  }
  const [seconds, nanos] = timestamp ?? [1_700_000_000, 123_456_789];
  const writer = new BinaryWriter().tag(3, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).int64(seconds).tag(2, WireType.Varint).int32(nanos);
  return writer.join().finish();
}

function buildTransaction(spec: TransactionSpec): Uint8Array {
  const input = new peer.ChaincodeInput();
  input.setArgsList((spec.args ?? []).map(bytesOf));
  const id = new peer.ChaincodeID();
  id.setName(spec.chaincode ?? CHAINCODE);
  const chaincodeSpec = new peer.ChaincodeSpec();
  chaincodeSpec.setChaincodeId(id);
  chaincodeSpec.setInput(input);
  const invocation = new peer.ChaincodeInvocationSpec();
  invocation.setChaincodeSpec(chaincodeSpec);
  const proposal = new peer.ChaincodeProposalPayload();
  proposal.setInput(invocation.serializeBinary());
  const response = new peer.ProposalResponsePayload();
  response.setProposalHash(Buffer.alloc(32, 1));
  response.setExtension$(buildAction(spec, id));
  const endorsement = new peer.Endorsement();
  endorsement.setSignature(Buffer.alloc(70, 2));
  const endorsedAction = new peer.ChaincodeEndorsedAction();
  endorsedAction.setProposalResponsePayload(response.serializeBinary());
  endorsedAction.setEndorsementsList([endorsement]);
  const actionPayload = new peer.ChaincodeActionPayload();
  actionPayload.setChaincodeProposalPayload(proposal.serializeBinary());
  actionPayload.setAction(endorsedAction);
  const action = new peer.TransactionAction();
  action.setPayload(actionPayload.serializeBinary());
  const transaction = new peer.Transaction();
  transaction.setActionsList([action]);
  return transaction.serializeBinary();
}

function buildAction(spec: TransactionSpec, id: peer.ChaincodeID): Uint8Array {
  const results = new ledger.rwset.TxReadWriteSet();
  for (const [namespace, writes] of Object.entries(spec.writes ?? {})) {
    const set = new ledger.rwset.NsReadWriteSet();
    set.setNamespace(namespace);
    set.setRwset(buildWriteSet(writes));
    results.addNsRwset(set);
  }
  const response = new peer.Response();
  response.setStatus(200);
  response.setPayload(Buffer.from(spec.response ?? 'answer'));
  const action = new peer.ChaincodeAction();
  action.setResults(results.serializeBinary());
  action.setResponse(response);
  action.setChaincodeId(id);
  if (spec.event !== undefined) {
    const event = new peer.ChaincodeEvent();
    event.setChaincodeId(spec.chaincode ?? CHAINCODE);
    event.setTxId(spec.txId ?? '');
    event.setEventName(spec.event.name);
    event.setPayload(Buffer.from(spec.event.payload));
    action.setEvents(event.serializeBinary());
  }
  return action.serializeBinary();
}

function buildWriteSet(writes: readonly WriteSpec[]): Uint8Array {
  const set = new ledger.rwset.kvrwset.KVRWSet();
  const read = new ledger.rwset.kvrwset.KVRead();
  read.setKey('\u0000watermark');
  set.addReads(read);
  for (const { key, value } of writes) {
    const write = new ledger.rwset.kvrwset.KVWrite();
    write.setKey(key);
    write.setIsDelete(value === null);
    write.setValue(bytesOf(value ?? ''));
    set.addWrites(write);
  }
  return set.serializeBinary();
}

export interface BlockSpec {
  readonly number: number;
  readonly previous: BuiltBlock | null;
  readonly transactions: readonly TransactionSpec[];
  readonly commitHash?: Uint8Array;
  readonly lastConfig?: number;
  /** Changes the finished parts before they are encoded: how a lying peer would. */
  readonly spoil?: (block: common.Block) => void;
}

export function buildBlock(spec: BlockSpec): BuiltBlock {
  const data = new common.BlockData();
  const entries = spec.transactions.map((transaction) => buildEntry(transaction));
  data.setDataList(entries);
  const previousHash = Buffer.from(spec.previous?.hash ?? '', 'hex');
  const dataHash = createHash('sha256').update(Buffer.concat(entries)).digest();
  const header = new common.BlockHeader();
  header.setNumber(spec.number);
  header.setPreviousHash(previousHash);
  header.setDataHash(dataHash);
  const lastConfig = new common.LastConfig();
  lastConfig.setIndex(spec.lastConfig ?? 0);
  const block = new common.Block();
  block.setHeader(header);
  block.setData(data);
  const metadata = new common.BlockMetadata();
  const commitHash = spec.commitHash ?? (spec.number === 0 ? null : Buffer.alloc(32, 5));
  metadata.setMetadataList([
    new Uint8Array(),
    wrapped(lastConfig.serializeBinary()),
    Uint8Array.from(spec.transactions.map((transaction) => transaction.code ?? 0)),
    new Uint8Array(),
    commitHash === null ? new Uint8Array() : wrapped(commitHash),
  ]);
  block.setMetadata(metadata);
  spec.spoil?.(block);
  const hash = derHash(spec.number, previousHash, dataHash);
  return { number: BigInt(spec.number), bytes: block.serializeBinary(), hash };
}

function wrapped(value: Uint8Array): Uint8Array {
  const metadata = new common.Metadata();
  metadata.setValue(value);
  return metadata.serializeBinary();
}

/** Block 0 with a config transaction, then one block for each list of transactions. */
export function buildChain(blocks: readonly (readonly TransactionSpec[])[]): BuiltBlock[] {
  const genesis = { type: common.HeaderType.CONFIG, txId: 'genesis' };
  const chain = [buildBlock({ number: 0, previous: null, transactions: [genesis] })];
  for (const transactions of blocks) {
    const previous = chain.at(-1) ?? null;
    chain.push(buildBlock({ number: chain.length, previous, transactions }));
  }
  return chain;
}

export const SOURCE = { stream: 'cluster', topic: 'shuttle.cleaned', partition: 3 };

export interface BatchSpec {
  readonly txId: string;
  readonly code?: number;
  readonly mspId?: string;
  /** Versions of each key, oldest first; null is a tombstone. */
  readonly documents: Readonly<Record<string, readonly [offset: bigint, json: string | null][]>>;
}

/** A submitBatch transaction as the chaincode would leave it. */
export function batchTransaction(spec: BatchSpec): TransactionSpec {
  const mspId = spec.mspId ?? MSP_ID;
  const header: BatchHeader = {
    ...SOURCE,
    lane: 1,
    layout: 'ab'.repeat(32),
    after: -1n,
    first: 0n,
    last: 9n,
    count: 10,
    digest: 'cd'.repeat(32),
  };
  const writer = {
    kind: 'source',
    shortId: shortId(SOURCE.stream, SOURCE.topic, SOURCE.partition, mspId),
  } as const;
  const documents = Object.entries(spec.documents).map(([key, versions]) => {
    const all: Version[] = versions.map(([offset, json]) => ({
      offset,
      timestamp: 1_600_000_000_000,
      document: json === null ? null : Buffer.from(json),
    }));
    return { key, value: encodeEnvelope(writer, all) };
  });
  return {
    txId: spec.txId,
    mspId,
    args: ['submitBatch', encodeHeader(header)],
    writes: {
      [CHAINCODE]: [{ key: '\u0000watermark\u0000x\u0000', value: '{"offset":"9"}' }, ...documents],
    },
    event: { name: 'batch', payload: '{"applied":10}' },
    ...(spec.code === undefined ? {} : { code: spec.code }),
  };
}
