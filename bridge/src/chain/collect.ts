/** Goes over a chain to what is asked for, and proves it on the way: what is wrong stops it. */
import { ShuttleError } from '../errors.ts';
import { EvidenceCollector, type Wanted } from '../verify/evidence-collector.ts';
import type { Evidence } from '../verify/evidence-file.ts';
import { type BlockReport, createVerifier } from '../verify/verifier.ts';
import type { BlockSource } from './source.ts';

export interface CollectOptions {
  readonly wanted: Wanted;
  readonly channel: string;
  readonly chaincode: string;
  /** Header hash of block 0, lower-case hex; null trusts the one that is there. */
  readonly genesisHash: string | null;
  readonly onProgress: (blocks: number, done: number, total: number) => void;
}

/**
 * Evidence of a transaction, or of the last write of a key; null when the signal has ended it.
 *
 * @throws ShuttleError NOT_FOUND; COMMIT_INVALID for a transaction without effect; CHAIN_BROKEN
 * when something is wrong with a block up to there
 */
export async function collectEvidence(
  source: BlockSource,
  { wanted, channel, chaincode, genesisHash, onProgress }: CollectOptions,
  signal: AbortSignal,
): Promise<Evidence | null> {
  const verifier = createVerifier({ genesisHash, channel });
  const collector = new EvidenceCollector(chaincode, wanted);
  let [blocks, genesis] = [0, ''];
  for await (const { bytes, done, total } of source.blocks(null, signal)) {
    const report = verifier.verify(bytes);
    requireSound(report, blocks);
    genesis ||= report.hash;
    collector.take(bytes);
    blocks += 1;
    onProgress(blocks, done, total);
    if (collector.isDone || signal.aborted) {
      break;
    }
  }
  if (signal.aborted) {
    return null;
  }
  return collector.evidence(channel, genesis) ?? fail(wanted, collector, blocks, source);
}

function requireSound({ number, findings }: BlockReport, due: number): void {
  const [wrong] = findings;
  const at = { block_number: number };
  if (wrong !== undefined) {
    const message = `Block ${number} cannot be proven, ${wrong.code}: ${wrong.sentence}`;
    throw new ShuttleError('CHAIN_BROKEN', message, { at });
  }
  if (due === 0 && number > 0n) {
    const message = `The chain begins with block ${number}; a proof begins with block 0.`;
    throw new ShuttleError('CHAIN_BROKEN', message, { at });
  }
}

function fail(
  wanted: Wanted,
  { isInvalid }: EvidenceCollector,
  blocks: number,
  source: BlockSource,
): never {
  if (wanted.kind === 'transaction' && isInvalid) {
    const message = `Transaction ${wanted.txId} was committed as invalid and has written nothing.`;
    throw new ShuttleError('COMMIT_INVALID', message, { at: { txId: wanted.txId } });
  }
  const what =
    wanted.kind === 'key'
      ? `No valid transaction writes ${JSON.stringify(wanted.key)}`
      : `There is no transaction ${wanted.txId}`;
  const where = blocks === 0 ? '' : ` up to block ${blocks - 1}`;
  throw new ShuttleError('NOT_FOUND', `${what} in the ${source.name}${where}.`);
}
