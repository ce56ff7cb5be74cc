/** Proves each block before it is published, and says in its headers how far that goes. */
import { CHECKPOINT_HEADER, VERDICT_HEADER } from '../block/topics.ts';
import { ShuttleError } from '../errors.ts';
import type { BlockPosition, Ledger, Log } from '../ports.ts';
import type { OutputHeader } from '../values.ts';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../verify/checkpoint.ts';
import { createVerifier, resumeVerifier, type Verifier } from '../verify/verifier.ts';

export interface ProvingOptions {
  readonly genesisHash: string;
  readonly channel: string;
}

/** The headers that tell of a block's proof. @throws ShuttleError BLOCK_INVALID with a finding */
export type ProveBlock = (bytes: Uint8Array) => readonly OutputHeader[];

/** A checkpoint in a header is bounded; a channel with more chaincodes is proven from its start. */
const CHECKPOINT_BYTES_MAX = 32_768;

/**
 * Goes on behind the last block of the topic, by the blocks that its checkpoint names.
 *
 * @param last - null for a topic without blocks
 * @throws ShuttleError what the ledger throws; BLOCK_INVALID when it has other blocks than proven
 */
export async function openProving(
  ledger: Pick<Ledger, 'blocks'>,
  options: ProvingOptions,
  last: BlockPosition | null,
  log: Log,
  signal: AbortSignal,
): Promise<ProveBlock> {
  const checkpoint = last === null ? null : checkpointOf(last);
  if (last !== null && checkpoint === null) {
    const fields = { channel: options.channel, block_number: last.number };
    log.warn(fields, 'found no checkpoint on the topic, blocks cannot be proven whole');
  }
  return proving(
    checkpoint === null
      ? createVerifier(options)
      : await resumed(ledger, options, checkpoint, signal),
  );
}

function checkpointOf({ number, hash, commitHash, checkpoint }: BlockPosition): Checkpoint | null {
  const rest = checkpoint === undefined ? null : decodeCheckpoint(checkpoint);
  return rest === null ? null : { tip: { number, hash }, commitHash: commitHash ?? null, ...rest };
}

async function resumed(
  ledger: Pick<Ledger, 'blocks'>,
  options: ProvingOptions,
  checkpoint: Checkpoint,
  signal: AbortSignal,
): Promise<Verifier> {
  const { config, definitions } = checkpoint;
  const blocks: Uint8Array[] = [];
  for (const number of new Set([config, ...definitions].map((ref) => ref.number))) {
    blocks.push(await blockAt(ledger, number, signal));
  }
  try {
    return resumeVerifier(options, checkpoint, blocks);
  } catch (cause) {
    const sentence = `The peer has other blocks than were proven: ${(cause as Error).message}.`;
    throw new ShuttleError('BLOCK_INVALID', sentence, { cause });
  }
}

async function blockAt(
  ledger: Pick<Ledger, 'blocks'>,
  number: bigint,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const enough = new AbortController();
  try {
    for await (const bytes of ledger.blocks(number, AbortSignal.any([signal, enough.signal]))) {
      return bytes;
    }
  } finally {
    enough.abort();
  }
  throw new ShuttleError('FABRIC_UNREACHABLE', 'The peer ended the block stream.');
}

function proving(verifier: Verifier): ProveBlock {
  return (bytes) => {
    const { number, verdict, findings } = verifier.verify(bytes);
    const [finding] = findings;
    if (finding !== undefined) {
      const { code: finding_code, transaction, byte, sentence } = finding;
      throw new ShuttleError('BLOCK_INVALID', `Block ${number}: ${sentence}`, {
        at: {
          block_number: number,
          finding: finding_code,
          ...(transaction === null ? {} : { transaction }),
          ...(byte === null ? {} : { byte }),
        },
      });
    }
    const checkpoint = verifier.checkpoint();
    const text = checkpoint === null ? '' : encodeCheckpoint(checkpoint);
    return [
      { name: VERDICT_HEADER, value: verdict },
      ...(text === '' || text.length > CHECKPOINT_BYTES_MAX
        ? []
        : [{ name: CHECKPOINT_HEADER, value: text }]),
    ];
  };
}
