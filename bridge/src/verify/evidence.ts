/**
 * Checks evidence of one transaction, from nothing but its bytes and, if there is one, a pinned
 * genesis hash. The genesis block's config says who the orderers are; each config block is signed
 * by the orderers before it, and names its place; the transaction's block is signed under the last
 * of them, which it names too. So no config can be made up or left out, and the headers in between
 * say that all of it is one chain.
 */
import { msp } from '@hyperledger/fabric-protos';
import { headerHash } from '../block/decode.ts';
import { type BlockParts, readBlock, TRANSACTIONS_FILTER } from './block-bytes.ts';
import {
  checkBytes,
  checkData,
  checkLastConfig,
  checkSigners,
  hasHashes,
  isConfigEntry,
  nextConfig,
} from './block-checks.ts';
import type { ChannelConfig } from './config.ts';
import { Definitions, definesChaincode } from './definitions.ts';
import { readAction, readEnvelope, readPayload, readSignatureHeader } from './envelope.ts';
import { DATA_HASH_BYTES, decodeEvidence, type Evidence } from './evidence-file.ts';
import type { Doubt, DoubtCode, Finding, Verdict } from './findings.ts';
import { KeyPolicies } from './key-policies.ts';
import { Notes } from './notes.ts';
import type { AccessSet } from './rwset.ts';
import { CODES, type Judgement, judgeEntry } from './transaction.ts';
import { bytesField } from './wire.ts';

export interface EvidenceOptions {
  /** Header hash of block 0, lower-case hex; null trusts the one in the file. */
  readonly genesisHash: string | null;
}

/** What a piece of evidence proves, as far as its verdict says that it does. */
export interface ProvenTransaction {
  readonly channel: string;
  readonly chaincode: string;
  readonly key: string | null;
  /** Header hash of block 0 as the file has it. */
  readonly genesisHash: string;
  readonly block: bigint;
  /** Header hash of the block. */
  readonly hash: string;
  readonly transaction: number;
  readonly txId: string;
  readonly creatorMspId: string;
  readonly endorserMspIds: readonly string[];
  /** What it writes under the key; null deletes, and without a key. */
  readonly value: Uint8Array | null;
}

export interface EvidenceReport {
  /** `verified` with no other doubts than those that every evidence has. */
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly doubts: readonly Doubt[];
  /** Null where something is wrong: then nothing is proven. */
  readonly proven: ProvenTransaction | null;
}

/** Never throws. */
export function verifyEvidence(text: string, options: EvidenceOptions): EvidenceReport {
  let evidence: Evidence;
  try {
    evidence = decodeEvidence(text);
  } catch (error) {
    const notes = new Notes(0n, new Uint8Array());
    const sentence = `The file is no evidence: ${(error as Error).message}.`;
    notes.find('EVIDENCE_UNREADABLE', sentence, null);
    return reportOf([notes], null);
  }
  return new EvidenceCheck(evidence, options).run();
}

type Role = 'config' | 'definition' | 'record';

interface Placed {
  readonly role: Role;
  readonly parts: BlockParts;
  readonly notes: Notes;
}

class EvidenceCheck {
  private readonly evidence: Evidence;
  private readonly options: EvidenceOptions;
  private readonly all: Notes[] = [];
  private config: ChannelConfig | null = null;
  private lastConfig: bigint | null = null;
  private readonly definitions = new Definitions();

  constructor(evidence: Evidence, options: EvidenceOptions) {
    this.evidence = evidence;
    this.options = options;
  }

  run(): EvidenceReport {
    const blocks = this.readBlocks();
    if (blocks === null) {
      return reportOf(this.all, null);
    }
    const hashes = this.headerHashes(new Set(blocks.map(({ parts }) => parts.header.number)));
    let proven: ProvenTransaction | null = null;
    for (const placed of blocks) {
      const { role, parts, notes } = placed;
      this.checkBlock(placed, hashes);
      if (role === 'config') {
        this.takeConfig(parts, notes);
      } else if (this.config !== null && role === 'definition') {
        this.takeDefinitions(parts, this.config, notes);
      } else if (this.config !== null) {
        proven = this.proveTransaction(parts, this.config, notes);
      }
    }
    return reportOf(this.all, proven);
  }

  /** In the order of the chain; null when they cannot be in any. */
  private readBlocks(): readonly Placed[] | null {
    const { configs, definitions, block, dataHashes } = this.evidence;
    try {
      const first = configs.map((bytes) => this.place('config', bytes));
      const next = definitions.map((bytes) => this.place('definition', bytes));
      const last = this.place('record', block);
      const count = BigInt(dataHashes.length / DATA_HASH_BYTES);
      checkPlaces(first, next, last, count);
      return [...first, ...next].toSorted((a, b) => compare(numberOf(a), numberOf(b))).concat(last);
    } catch (error) {
      const sentence = `The blocks in the file cannot be used: ${(error as Error).message}.`;
      this.note(0n, block).find('EVIDENCE_UNREADABLE', sentence, null);
      return null;
    }
  }

  /** @throws Error when the bytes are no block */
  private place(role: Role, bytes: Uint8Array): Placed {
    const parts = readBlock(bytes);
    if (!hasHashes(parts)) {
      throw new Error('a header has hashes of a wrong length');
    }
    return { role, parts, notes: this.note(parts.header.number, bytes) };
  }

  /** The chain of headers: number and data hash, each with the hash of the one before. */
  private headerHashes(wanted: ReadonlySet<bigint>): ReadonlyMap<bigint, string> {
    const { dataHashes } = this.evidence;
    const found = new Map<bigint, string>();
    let previousHash: Uint8Array = new Uint8Array();
    for (let at = 0, number = 0n; at < dataHashes.length; at += DATA_HASH_BYTES, number += 1n) {
      const dataHash = dataHashes.subarray(at, at + DATA_HASH_BYTES);
      const hash = headerHash({ number, previousHash, dataHash });
      previousHash = Buffer.from(hash, 'hex');
      if (wanted.has(number)) {
        found.set(number, hash);
      }
    }
    return found;
  }

  private checkBlock({ parts, notes }: Placed, hashes: ReadonlyMap<bigint, string>): void {
    const { number } = parts.header;
    const hash = headerHash(parts.header);
    if (hash !== hashes.get(number)) {
      const sentence = `Block ${number} is not the one in the chain of headers.`;
      notes.find('PREVIOUS_HASH_WRONG', sentence, parts.header.previousHash);
    }
    if (number === 0n) {
      this.checkGenesis(hash, notes);
    }
    checkCodeCount(parts, notes);
    checkBytes(parts, notes);
    checkData(parts, notes);
    checkSigners(parts, this.config, notes);
    const [entry] = parts.entries;
    const isConfig = parts.entries.length === 1 && entry !== undefined && isConfigEntry(entry);
    checkLastConfig(parts, isConfig ? number : this.lastConfig, notes);
  }

  private checkGenesis(hash: string, notes: Notes): void {
    const { genesisHash: pinned } = this.options;
    const wanted = pinned ?? this.evidence.genesisHash;
    if (hash !== wanted || hash !== this.evidence.genesisHash) {
      const sentence = `Block 0 is ${hash}, and has to be ${wanted}.`;
      notes.find('GENESIS_WRONG', sentence, null);
    } else if (pinned === null) {
      const sentence = `Block 0 is ${hash}, and nobody has said that it has to be.`;
      notes.doubt('GENESIS_NOT_PINNED', sentence, null);
    }
  }

  private takeConfig(parts: BlockParts, notes: Notes): void {
    const config = nextConfig(parts, this.config, this.evidence.channel, notes);
    this.config = config ?? this.config;
    this.lastConfig = parts.header.number;
  }

  private judge(entry: Uint8Array, config: ChannelConfig): Judgement {
    return judgeEntry(entry, {
      config,
      definitions: this.definitions,
      keyPolicies: new KeyPolicies(),
      changedPolicies: new Set(),
    });
  }

  private takeDefinitions(parts: BlockParts, config: ChannelConfig, notes: Notes): void {
    const codes = parts.metadata[TRANSACTIONS_FILTER] ?? Buffer.alloc(0);
    let count = 0;
    parts.entries.forEach((entry, index) => {
      const judgement = codes[index] === CODES.VALID ? this.judge(entry, config) : null;
      const sets = judgement === null ? null : setsOf(judgement);
      if (judgement !== null && sets?.some(definesChaincode) === true) {
        count += 1;
        this.take(judgement, index, entry, notes);
        const block = { number: parts.header.number, hash: '' };
        this.definitions.apply(sets, block, judgement.kind === 'passes');
      }
    });
    if (count === 0) {
      const sentence = `Block ${parts.header.number} defines no chaincode.`;
      notes.find('EVIDENCE_UNREADABLE', sentence, null);
    }
  }

  /** Says what is wrong or not known of a transaction that is told to be valid. */
  private take(judgement: Judgement, index: number, entry: Uint8Array, notes: Notes): void {
    const { header } = judgement;
    if (judgement.kind === 'refused') {
      notes.find('CODE_WRONG', `It is told to be valid: ${judgement.sentence}`, entry, index);
    } else if (judgement.kind === 'unknown') {
      notes.doubt(judgement.doubt, judgement.sentence, index);
    }
    if (header !== null && header.channel !== this.evidence.channel) {
      const sentence = `It is of channel ${header.channel}, not of ${this.evidence.channel}.`;
      notes.find('CHANNEL_WRONG', sentence, entry, index);
    }
  }

  private proveTransaction(
    parts: BlockParts,
    config: ChannelConfig,
    notes: Notes,
  ): ProvenTransaction | null {
    const { transaction: index, channel, chaincode, key, genesisHash } = this.evidence;
    const { header, entries, metadata } = parts;
    const codes = metadata[TRANSACTIONS_FILTER] ?? Buffer.alloc(0);
    const entry = entries[index];
    if (entry === undefined) {
      const sentence = `The block has ${entries.length} transactions; ${index} is none of them.`;
      notes.find('EVIDENCE_UNREADABLE', sentence, codes, index);
      return null;
    }
    if (codes[index] !== CODES.VALID) {
      const sentence = `Its validation code is ${codes[index]}, not VALID.`;
      notes.find('TRANSACTION_INVALID', sentence, codes.subarray(index), index);
    }
    const judgement = this.judge(entry, config);
    this.take(judgement, index, entry, notes);
    notes.doubt('CODE_UNSIGNED', 'That it is VALID is told by whoever made the file.', index);
    const policies = 'That its endorsers were enough holds for the definitions in the file.';
    notes.doubt('LATER_DEFINITION', policies, index);
    const value = this.valueOf(setsOf(judgement) ?? [], index, entry, notes);
    const { creatorMspId, endorserMspIds } = partiesOf(entry);
    return {
      channel,
      chaincode,
      key,
      genesisHash,
      block: header.number,
      hash: headerHash(header),
      transaction: index,
      txId: judgement.header?.txId ?? '',
      creatorMspId,
      endorserMspIds,
      value,
    };
  }

  /** Of a key that is written twice the last write counts. */
  private valueOf(
    sets: readonly AccessSet[],
    index: number,
    entry: Uint8Array,
    notes: Notes,
  ): Uint8Array | null {
    const { key, chaincode } = this.evidence;
    if (key === null) {
      return null;
    }
    const wanted = Buffer.from(key);
    const write = sets
      .filter(({ namespace, collection }) => namespace === chaincode && collection === '')
      .flatMap(({ writes }) => [...writes])
      .findLast((each) => each.key.equals(wanted));
    if (write === undefined) {
      const sentence = `It does not write ${JSON.stringify(key)} for ${chaincode}.`;
      notes.find('KEY_NOT_WRITTEN', sentence, entry, index);
    }
    return write?.value ?? null;
  }

  private note(block: bigint, bytes: Uint8Array): Notes {
    const notes = new Notes(block, bytes);
    this.all.push(notes);
    return notes;
  }
}

/** Configs from the genesis on, definitions behind it, the record's block at the end: each once. */
function checkPlaces(
  configs: readonly Placed[],
  definitions: readonly Placed[],
  record: Placed,
  count: bigint,
): void {
  const [first] = configs;
  if (first === undefined || numberOf(first) !== 0n || numberOf(record) !== count - 1n) {
    throw new Error('they do not begin with the genesis and end with the record');
  }
  const rows = [[...configs, record].map(numberOf), [first, ...definitions, record].map(numberOf)];
  const isAscending = rows.every((row) => row.every((n, at) => at === 0 || (row[at - 1] ?? n) < n));
  const numbers = [...configs, ...definitions].map(numberOf);
  if (!isAscending || new Set(numbers).size < numbers.length) {
    throw new Error('they are not in the order of the chain');
  }
}

/** Codes are signed by nobody, but there is one for each transaction. */
function checkCodeCount({ entries, metadata }: BlockParts, notes: Notes): void {
  const codes = metadata[TRANSACTIONS_FILTER] ?? Buffer.alloc(0);
  if (codes.length !== entries.length) {
    const sentence = `There are ${codes.length} codes for ${entries.length} transactions.`;
    notes.find('CODE_WRONG', sentence, codes);
  }
}

const numberOf = ({ parts }: Placed): bigint => parts.header.number;

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const setsOf = (judgement: Judgement): readonly AccessSet[] | null =>
  judgement.kind === 'refused' ? null : judgement.sets;

/** Who has made and who has endorsed a transaction; empty where it cannot be read. */
function partiesOf(entry: Uint8Array): Pick<ProvenTransaction, 'creatorMspId' | 'endorserMspIds'> {
  try {
    const { header, data } = readPayload(readEnvelope(entry).payload);
    const { creator } = readSignatureHeader(bytesField(header ?? Buffer.alloc(0), 2));
    const endorsers = readAction(data)?.endorsements.map(({ endorser }) => mspIdOf(endorser)) ?? [];
    return { creatorMspId: mspIdOf(creator), endorserMspIds: [...new Set(endorsers)] };
  } catch {
    return { creatorMspId: '', endorserMspIds: [] };
  }
}

const mspIdOf = (identity: Uint8Array): string =>
  msp.SerializedIdentity.deserializeBinary(identity).getMspid();

/** What no evidence can prove; it is said of every one. */
const BEYOND_EVIDENCE: readonly DoubtCode[] = [
  'GENESIS_NOT_PINNED',
  'CODE_UNSIGNED',
  'LATER_DEFINITION',
];

function reportOf(all: readonly Notes[], proven: ProvenTransaction | null): EvidenceReport {
  const facts = { hash: '', commitHash: null, transactions: 0 };
  const reports = all.map((notes) => notes.report(facts));
  const findings = reports.flatMap((report) => report.findings);
  const doubts = reports.flatMap((report) => report.doubts);
  if (findings.length > 0 || proven === null) {
    return { verdict: 'failed', findings, doubts, proven: null };
  }
  const isWhole = doubts.every(({ code }) => BEYOND_EVIDENCE.includes(code));
  return { verdict: isWhole ? 'verified' : 'unverifiable', findings, doubts, proven };
}
