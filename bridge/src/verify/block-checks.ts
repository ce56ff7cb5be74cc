/** What a block has to be by itself, and under the config that holds before it. */
import { createHash } from 'node:crypto';
import {
  type BlockParts,
  COMMIT_HASH,
  encodeLastConfig,
  firstOddByte,
  isWholeEnvelope,
  LAST_CONFIG,
  SIGNATURES,
  TRANSACTIONS_FILTER,
} from './block-bytes.ts';
import { type ChannelConfig, readConfig } from './config.ts';
import { HEADER_TYPES, readChannelHeader, readEnvelope, readPayload } from './envelope.ts';
import type { Notes } from './notes.ts';
import { wrongSignatures } from './signatures.ts';
import { bytesField, encodeBytes, firstDifference } from './wire.ts';

/** Slot 3, for the orderer, is of Fabric 1 and empty since. */
const USED_SLOTS = [SIGNATURES, LAST_CONFIG, TRANSACTIONS_FILTER, COMMIT_HASH];
const HASH_BYTES = 32;

export function hasHashes({ header }: BlockParts): boolean {
  const previous = header.number === 0n ? 0 : HASH_BYTES;
  return header.previousHash.length === previous && header.dataHash.length === HASH_BYTES;
}

export function isConfigEntry(entry: Buffer): boolean {
  try {
    const { header } = readPayload(readEnvelope(entry).payload);
    return readChannelHeader(bytesField(header ?? Buffer.alloc(0), 1)).type === HEADER_TYPES.CONFIG;
  } catch {
    return false;
  }
}

export function checkData({ header, entries }: BlockParts, notes: Notes): void {
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(entry);
  }
  const computed = hash.digest();
  if (!computed.equals(header.dataHash)) {
    const sentence = `The hash of the data is ${computed.toString('hex')}, not that of the header.`;
    notes.find('DATA_HASH_WRONG', sentence, entries[0] ?? null);
  }
  const isAlone = entries.length === 1 && isConfigEntry(entries[0] ?? Buffer.alloc(0));
  entries.forEach((entry, index) => {
    if (!isAlone && !isWhole(entry)) {
      const sentence = 'The entry is not one envelope and nothing else.';
      notes.find('ENTRY_NOT_CANONICAL', sentence, entry, index);
    }
  });
}

function isWhole(entry: Buffer): boolean {
  try {
    return isWholeEnvelope(entry);
  } catch {
    return false;
  }
}

/** One encoding only, and nothing beside it. */
export function checkBytes(parts: BlockParts, notes: Notes): void {
  const odd = firstOddByte(parts);
  if (odd !== null) {
    const sentence = `From byte ${odd} on the block is not encoded as a peer encodes it.`;
    notes.findAt('BLOCK_NOT_CANONICAL', sentence, odd);
  }
  const slot = parts.metadata[COMMIT_HASH] ?? Buffer.alloc(0);
  if (firstDifference(slot, encodeBytes(1, bytesField(slot, 1))) !== null) {
    notes.find('BLOCK_NOT_CANONICAL', 'The commit hash has something beside it.', slot);
  }
  const odds = parts.metadata.filter((each, index) => !USED_SLOTS.includes(index) && each.length);
  for (const each of odds) {
    notes.find('BLOCK_NOT_CANONICAL', 'A slot of the metadata is filled that has no use.', each);
  }
}

/**
 * The orderers of `config`, the one before the block, have signed it.
 *
 * @returns false when that is not known
 */
export function checkSigners(
  parts: BlockParts,
  config: ChannelConfig | null,
  notes: Notes,
): boolean {
  if (parts.header.number === 0n) {
    return true;
  }
  if (config === null) {
    const sentence = 'The config under which the block was signed is not known.';
    notes.doubt('CONFIG_UNKNOWN', sentence, null);
    return false;
  }
  return notes.proving(null, () => {
    for (const { code, sentence, at } of wrongSignatures(parts, config)) {
      notes.find(code, sentence, at);
    }
  });
}

/** Orderers sign this, so that nobody can leave out a config block and those behind it. */
export function checkLastConfig(
  { header, metadata, lastConfig: stated }: BlockParts,
  wanted: bigint | null,
  notes: Notes,
): void {
  const slot = metadata[SIGNATURES] ?? Buffer.alloc(0);
  const copy = metadata[LAST_CONFIG] ?? Buffer.alloc(0);
  if (firstDifference(copy, encodeLastConfig(stated ?? 0n)) !== null) {
    const sentence = `The slot for the last config does not say block ${stated}, as is signed.`;
    notes.find('LAST_CONFIG_WRONG', sentence, copy);
  }
  if (header.number > 0n && wanted !== null && stated !== wanted) {
    const sentence = `The block names block ${stated} as its config, which is ${wanted}.`;
    notes.find('LAST_CONFIG_WRONG', sentence, slot);
  }
}

/** The config of a config block, held against the one before; null when it is none. */
export function nextConfig(
  { entries }: BlockParts,
  before: ChannelConfig | null,
  wantedChannel: string | null,
  notes: Notes,
): ChannelConfig | null {
  const [entry = Buffer.alloc(0)] = entries;
  try {
    const { header: heads, data } = readPayload(readEnvelope(entry).payload);
    const { channel } = readChannelHeader(bytesField(heads ?? Buffer.alloc(0), 1));
    const config = readConfig(channel, data);
    const wanted = before === null ? null : before.sequence + 1n;
    if (wanted !== null && config.sequence !== wanted) {
      const sentence = `The config has the sequence ${config.sequence}; ${wanted} is due.`;
      notes.find('CONFIG_WRONG', sentence, entry, 0);
    }
    if (wantedChannel !== null && channel !== wantedChannel) {
      const sentence = `The config is of channel ${channel}, not of ${wantedChannel}.`;
      notes.find('CHANNEL_WRONG', sentence, entry, 0);
    }
    return config;
  } catch (error) {
    const sentence = `The config cannot be used: ${(error as Error).message}.`;
    notes.find('CONFIG_WRONG', sentence, entry, 0);
    return null;
  }
}
