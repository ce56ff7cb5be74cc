/**
 * Proves a chain block by block: each from the one before it, the codes and the config that those
 * before it have left. It holds what later blocks need, and nothing of the blocks themselves, so
 * that its memory does not grow with the chain.
 */
import { createHash } from 'node:crypto';
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
import type { BlockRef, Checkpoint } from './checkpoint.ts';
import { checkCode, isPast } from './codes.ts';
import type { ChannelConfig } from './config.ts';
import { Definitions } from './definitions.ts';
import { setsIn, txIdIn, validSets } from './entry-sets.ts';
import { KeyPolicies } from './key-policies.ts';
import { type BlockReport, Notes } from './notes.ts';
import type { AccessSet } from './rwset.ts';
import { LedgerState } from './state.ts';
import { CODES, type Context, type Judgement, judgeEntry } from './transaction.ts';
import { Updates, versionBytes } from './updates.ts';
import { uvarint } from './wire.ts';

export type { BlockReport } from './notes.ts';

export interface VerifierOptions {
  /** Header hash of block 0, lower-case hex; null takes the first one that comes. */
  readonly genesisHash: string | null;
  /** The channel that the blocks have to be of; null takes that of the first block. */
  readonly channel: string | null;
  /**
   * Follows the state from the first block on, so that MVCC_READ_CONFLICT is proven as well. Its
   * memory grows with the number of keys. Default false.
   */
  readonly replay?: boolean;
}

export interface Verifier {
  /** Verifies the next block by its exact bytes. Never throws. */
  verify(bytes: Uint8Array): BlockReport;
  /** Where it stands; null where that rests on what is not proven, as a chain without beginning. */
  checkpoint(): Checkpoint | null;
  /** Another verifier at the same place, on its own from then on: to try what may come next. */
  fork(): Verifier;
}

export function createVerifier(options: VerifierOptions): Verifier {
  return new ChainVerifier(options);
}

/**
 * Goes on where another verifier stood. What it proves rests on the checkpoint.
 *
 * @param blocks - the exact bytes of the config's block and of those with definitions
 * @throws Error when they are not the blocks that the checkpoint names
 */
export function resumeVerifier(
  options: VerifierOptions,
  checkpoint: Checkpoint,
  blocks: readonly Uint8Array[],
): Verifier {
  const verifier = new ChainVerifier(options);
  verifier.resume(checkpoint, blocks);
  return verifier;
}

/** What the block before has left. */
interface Tip {
  readonly number: bigint;
  readonly hash: string;
  /** As the block states it; null when it has none. */
  readonly commitHash: Buffer | null;
}

class ChainVerifier implements Verifier {
  private readonly options: VerifierOptions;
  private channel: string | null;
  /** Number of the first block; null before it. */
  private start: bigint | null = null;
  private tip: Tip | null = null;
  private config: ChannelConfig | null = null;
  /** Whether the block that holds the config was proven, and those of the configs before it. */
  private isConfigProven = true;
  /** The block that holds the config. */
  private lastConfig: BlockRef | null = null;
  private definitions = new Definitions();
  private keyPolicies = new KeyPolicies();
  /** Null unless it is followed from the first block on. */
  private state: LedgerState | null;

  constructor(options: VerifierOptions) {
    this.options = options;
    this.channel = options.channel;
    this.state = options.replay === true ? new LedgerState() : null;
  }

  verify(bytes: Uint8Array): BlockReport {
    const due = this.tip === null ? 0n : this.tip.number + 1n;
    const notes = new Notes(due, bytes);
    let parts: BlockParts;
    try {
      parts = readBlock(bytes);
    } catch {
      notes.find('BLOCK_UNREADABLE', 'The bytes are no block.', null);
      return notes.report({ hash: '', commitHash: null, transactions: 0 });
    }
    const { header, entries } = parts;
    notes.block = header.number;
    if (!hasHashes(parts)) {
      notes.find('BLOCK_UNREADABLE', 'The header has hashes of a wrong length.', null);
      return notes.report({ hash: '', commitHash: null, transactions: entries.length });
    }
    const { commitHash } = parts;
    const hash = headerHash(header);
    checkBytes(parts, notes);
    this.checkPlace(parts, hash, notes);
    checkData(parts, notes);
    if (!this.isConfigProven) {
      const sentence = `Block ${this.lastConfig?.number}, which holds the config, is not proven.`;
      notes.doubt('CONFIG_UNKNOWN', sentence, null);
    }
    const isSigned = checkSigners(parts, this.config, notes);
    this.checkEntries(parts, isSigned, notes);
    this.tip = { number: header.number, hash, commitHash };
    return notes.report({
      hash,
      commitHash: commitHash?.toString('hex') ?? null,
      transactions: entries.length,
    });
  }

  checkpoint(): Checkpoint | null {
    const { tip, start, lastConfig, definitions, keyPolicies } = this;
    const isProven = this.isConfigProven && definitions.areProven;
    if (tip === null || lastConfig === null || start !== 0n || !isProven) {
      return null;
    }
    return {
      tip: { number: tip.number, hash: tip.hash },
      commitHash: tip.commitHash?.toString('hex') ?? null,
      config: lastConfig,
      definitions: definitions.blocks,
      hasKeyPolicies: !keyPolicies.isEmpty,
    };
  }

  /** Takes the place of a checkpoint, once the blocks are the ones that it names. */
  resume({ tip, commitHash, ...rest }: Checkpoint, blocks: readonly Uint8Array[]): void {
    const named = new Map(blocks.map(readBlock).map((parts) => [parts.header.number, parts]));
    const config = provenParts(named, rest.config);
    this.takeConfig(config, true, new Notes(rest.config.number, config.bytes));
    if (this.config === null) {
      throw new Error(`block ${rest.config.number} holds no config`);
    }
    for (const block of rest.definitions) {
      for (const sets of validSets(provenParts(named, block))) {
        this.definitions.apply(sets, block, true);
      }
    }
    if (rest.hasKeyPolicies) {
      this.keyPolicies.forget();
    }
    this.state = null;
    this.start = 0n;
    const stated = commitHash === null ? null : Buffer.from(commitHash, 'hex');
    this.tip = { ...tip, commitHash: stated };
  }

  fork(): Verifier {
    const fork = new ChainVerifier(this.options);
    fork.channel = this.channel;
    fork.start = this.start;
    fork.tip = this.tip;
    fork.config = this.config;
    fork.isConfigProven = this.isConfigProven;
    fork.lastConfig = this.lastConfig;
    fork.definitions = this.definitions.copy();
    fork.keyPolicies = this.keyPolicies.copy();
    fork.state = this.state?.copy() ?? null;
    return fork;
  }

  private checkPlace({ header }: BlockParts, hash: string, notes: Notes): void {
    const { genesisHash } = this.options;
    const { tip } = this;
    this.start ??= header.number;
    if (this.start > 0n) {
      this.state = null;
      const sentence = `The chain begins at block ${this.start}, which is taken as it is.`;
      notes.doubt('START_NOT_PROVEN', sentence, null);
    }
    if (tip === null) {
      if (header.number > 0n) {
        return;
      }
      if (genesisHash === null) {
        const sentence = `Block 0 is ${hash}, and nobody has said that it has to be.`;
        notes.doubt('GENESIS_NOT_PINNED', sentence, null);
      } else if (genesisHash !== hash) {
        const sentence = `Block 0 is ${hash}, and has to be ${genesisHash}.`;
        notes.find('GENESIS_WRONG', sentence, null);
      }
      return;
    }
    if (header.number !== tip.number + 1n) {
      const sentence = `Block ${header.number} comes where block ${tip.number + 1n} is due.`;
      notes.find('NUMBER_WRONG', sentence, null);
    }
    if (Buffer.from(header.previousHash).toString('hex') !== tip.hash) {
      const sentence = `Block ${header.number} does not continue block ${tip.number}, ${tip.hash}.`;
      notes.find('PREVIOUS_HASH_WRONG', sentence, header.previousHash);
    }
  }

  private checkEntries(parts: BlockParts, isSigned: boolean, notes: Notes): void {
    const { header, entries, metadata, commitHash } = parts;
    const codes = metadata[TRANSACTIONS_FILTER] ?? Buffer.alloc(0);
    if (header.number === 0n) {
      checkLastConfig(parts, 0n, notes);
      this.takeConfig(parts, isSigned, notes);
      return;
    }
    const isConfig = entries.length === 1 && isConfigEntry(entries[0] ?? Buffer.alloc(0));
    checkLastConfig(parts, isConfig ? header.number : (this.lastConfig?.number ?? null), notes);
    if (codes.length !== entries.length) {
      const sentence = `There are ${codes.length} codes for ${entries.length} transactions.`;
      notes.find('CODE_WRONG', sentence, codes);
      return;
    }
    if (this.config === null) {
      this.takeUnproven(parts, isConfig, notes);
      return;
    }
    const { valid, updates } = this.judgeAll(parts, codes, this.config, notes);
    this.checkCommitHash(header.number, codes, commitHash, updates, notes);
    if (updates === null) {
      this.state = null;
    }
    this.takeWrites(parts, valid, isSigned && !notes.hasFindings);
    if (isConfig) {
      this.takeConfig(parts, isSigned, notes);
    }
  }

  private takeWrites(
    { header, entries }: BlockParts,
    valid: readonly Valid[],
    isBlockProven: boolean,
  ): void {
    const block = { number: header.number, hash: headerHash(header) };
    for (const { sets, index, isProven } of valid) {
      this.definitions.apply(sets, block, isProven && isBlockProven);
      this.keyPolicies.apply(sets, isProven && isBlockProven);
      this.state?.apply(sets, header.number, index);
    }
    for (const entry of this.state === null ? [] : entries) {
      this.state?.addId(txIdIn(entry));
    }
  }

  /** Behind a start that is not the first block, the first config block is taken as it is. */
  private takeUnproven(parts: BlockParts, isConfig: boolean, notes: Notes): void {
    if (isConfig) {
      this.takeConfig(parts, true, notes);
    }
  }

  /** Judges all transactions, and puts together what the valid ones write. */
  private judgeAll(
    { header, entries }: BlockParts,
    codes: Buffer,
    config: ChannelConfig,
    notes: Notes,
  ): Judged {
    const context: Context = {
      config,
      definitions: this.definitions,
      keyPolicies: this.keyPolicies,
      changedPolicies: new Set(),
    };
    const ids = new Set<string>();
    const updates = new Updates();
    const valid: Valid[] = [];
    let isWhole = true;
    const judgements = entries.map((entry) => judgeEntry(entry, context));
    for (const judgement of judgements) {
      updates.expect(setsOf(judgement) ?? []);
    }
    judgements.forEach((judgement, index) => {
      const code = codes[index] ?? CODES.INVALID_OTHER_REASON;
      this.checkChannel(judgement, index, entries[index] ?? null, notes);
      checkCode(
        judgement,
        code,
        { ids, updates, state: this.state },
        (isWrong, doubt, sentence) => {
          if (isWrong) {
            notes.find('CODE_WRONG', sentence, codes.subarray(index, index + 1), index);
          } else if (doubt !== null) {
            notes.doubt(doubt, sentence, index);
          }
        },
      );
      if (code === CODES.VALID) {
        const sets = setsOf(judgement);
        isWhole &&= sets !== null;
        const read = sets ?? setsIn(entries[index] ?? Buffer.alloc(0));
        valid.push({ sets: read, index, isProven: judgement.kind === 'passes' });
        updates.apply(sets ?? [], versionBytes(header.number, index));
      }
      if (isPast(code)) {
        ids.add(judgement.header?.txId ?? '');
      }
    });
    return { valid, updates: isWhole ? updates : null };
  }

  private checkChannel(
    { header }: Judgement,
    index: number,
    entry: Uint8Array | null,
    notes: Notes,
  ): void {
    if (header !== null && this.channel !== null && header.channel !== this.channel) {
      const sentence = `It is of channel ${header.channel}, not of ${this.channel}.`;
      notes.find('CHANNEL_WRONG', sentence, entry, index);
    }
  }

  private checkCommitHash(
    block: bigint,
    codes: Buffer,
    stated: Buffer | null,
    updates: Updates | null,
    notes: Notes,
  ): void {
    const before = block === 1n ? Buffer.alloc(0) : (this.tip?.commitHash ?? null);
    if (stated === null) {
      if (before === null) {
        const sentence = 'The block has no commit hash: no peer tells which codes it stands for.';
        notes.doubt('COMMIT_HASH_MISSING', sentence, null);
      } else {
        notes.find(
          'COMMIT_HASH_WRONG',
          'The block has no commit hash, and those before it have.',
          null,
        );
      }
      return;
    }
    if (updates === null || before === null) {
      const sentence = 'The commit hash covers what is not known here.';
      notes.doubt('EARLIER_STATE_NEEDED', sentence, null);
      return;
    }
    if (updates.unknown.size > 0) {
      const count = updates.unknown.size;
      const sentence = `Only metadata was written of ${count} keys of earlier blocks.`;
      notes.doubt('EARLIER_STATE_NEEDED', sentence, null);
      return;
    }
    const hash = createHash('sha256').update(uvarint(codes.length)).update(codes);
    updates.hashInto(hash);
    const computed = hash.update(before).digest();
    if (!computed.equals(stated)) {
      const [told, made] = [stated.toString('hex'), computed.toString('hex')];
      const sentence = `The commit hash is ${told}; codes and writes make ${made}.`;
      notes.find('COMMIT_HASH_WRONG', sentence, stated);
    }
  }

  /** Applies the config of a block that was held against the one before. */
  private takeConfig(parts: BlockParts, isSigned: boolean, notes: Notes): void {
    const config = nextConfig(parts, this.config, this.channel, notes);
    this.isConfigProven &&= isSigned && !notes.hasFindings;
    if (config !== null) {
      this.channel ??= config.channel;
      this.config = config;
      this.lastConfig = { number: parts.header.number, hash: headerHash(parts.header) };
    }
  }
}

const setsOf = (judgement: Judgement): readonly AccessSet[] | null =>
  judgement.kind === 'refused' ? null : judgement.sets;

interface Valid {
  readonly sets: readonly AccessSet[];
  readonly index: number;
  /** Whether it has to be valid, or is only told to be. */
  readonly isProven: boolean;
}

interface Judged {
  /** What each valid transaction reads and writes. */
  readonly valid: readonly Valid[];
  /** All of it together; null when that of one transaction is not known. */
  readonly updates: Updates | null;
}

/** The block of that number, if it is the one that is meant and its data are its own. */
function provenParts(
  named: ReadonlyMap<bigint, BlockParts>,
  { number, hash }: BlockRef,
): BlockParts {
  const parts = named.get(number);
  const notes = new Notes(number, parts?.bytes ?? new Uint8Array());
  if (parts === undefined || headerHash(parts.header) !== hash) {
    throw new Error(`block ${number} is not the one that was proven`);
  }
  checkData(parts, notes);
  if (notes.hasFindings) {
    throw new Error(`block ${number} does not have the data that were proven`);
  }
  return parts;
}
