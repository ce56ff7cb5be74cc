/** proof: evidence of a document or a transaction, for whoever has neither Kafka nor Fabric. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { collectEvidence } from '../../chain/collect.ts';
import type { BlockSource } from '../../chain/source.ts';
import { ShuttleError } from '../../errors.ts';
import {
  type EvidenceReport,
  type ProvenTransaction,
  verifyEvidence,
} from '../../verify/evidence.ts';
import type { Wanted } from '../../verify/evidence-collector.ts';
import { type Evidence, encodeEvidence } from '../../verify/evidence-file.ts';
import { startBlocksBar } from '../blocks-bar.ts';
import { createFile, createFileSource } from '../blocks-files.ts';
import { EXIT_OK, EXIT_STOPPED } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';
import { readTrust, type Trust } from '../trust.ts';

const TX_ID = /^[0-9a-f]{64}$/;
const KINDS = ['key', 'transaction'] as const;

export function proofCommand(cli: Cli): Command {
  const command = new Command('proof')
    .description('write evidence of a document or a transaction, which anyone can check alone')
    .argument('<what>', 'a document key (its last version), or a transaction id')
    .addOption(new Option('--as <kind>', 'what it is, where both would fit').choices([...KINDS]))
    .option('--out <file>', 'write the evidence there (default: standard output)')
    .option('--force', 'replace a file that is there')
    .option('--file <archive>', 'read the blocks from a file of `shuttle export`')
    .addOption(
      new Option('--source <source>', 'where the blocks are read without --file')
        .choices(['topic', 'peer'])
        .default('topic'),
    )
    .option('--genesis <hash|file>', 'the block 0 to rest on: its header hash, or a file with it')
    .addHelpText('after', '\nIt is checked with `shuttle verify --proof FILE`.');
  return define(cli, command, { once: false, quiet: true }, async (session, [what = '']) => {
    const { io, options } = session;
    const trust = await readTrust({ genesis: options.genesis }, io.cwd);
    const target = typeof options.out === 'string' ? resolve(io.cwd, options.out) : '-';
    const file = await createFile(target, io, options.force === true);
    try {
      const evidence = await collect(session, wantedOf(what, options.as), trust);
      if (evidence === null) {
        await file.abandon();
        io.stderr.write('Stopped before the end of the chain; nothing was written.\n');
        return EXIT_STOPPED;
      }
      const text = encodeEvidence(evidence);
      const proven = requireProof(verifyEvidence(text, { genesisHash: trust.genesisHash }));
      await file.write(Buffer.from(text));
      await file.finish();
      report(session, evidence, proven, text.length);
      return EXIT_OK;
    } catch (error) {
      await file.abandon().catch(() => undefined);
      throw error;
    }
  });
}

function wantedOf(what: string, kind: unknown): Wanted {
  const isTransaction = kind === undefined ? TX_ID.test(what) : kind === 'transaction';
  return isTransaction ? { kind: 'transaction', txId: what } : { kind: 'key', key: what };
}

async function collect(session: Session, wanted: Wanted, trust: Trust): Promise<Evidence | null> {
  const { io, loaded } = session;
  const { channel, chaincode } = loaded.settings.fabric;
  const stop = io.stopRequest();
  const source = await sourceOf(session);
  const bar = startBlocksBar(session, 'proof');
  try {
    const { genesisHash } = trust;
    const options = { wanted, channel, chaincode, genesisHash, onProgress: bar.onProgress };
    return await collectEvidence(source, options, stop);
  } finally {
    bar.stop();
    await source.close();
  }
}

async function sourceOf({ io, options, shuttle }: Session): Promise<BlockSource> {
  return typeof options.file === 'string'
    ? createFileSource(resolve(io.cwd, options.file), options.file)
    : await shuttle().blockSource(options.source as 'topic' | 'peer');
}

/** What does not hold here would hold nowhere. @throws ShuttleError EVIDENCE_LACKING */
function requireProof({ verdict, proven, findings, doubts }: EvidenceReport): ProvenTransaction {
  if (verdict !== 'verified' || proven === null) {
    const { code, sentence, block } = findings[0] ?? doubts[0] ?? NOTHING;
    const message = `What evidence holds does not prove it, ${code}: ${sentence}`;
    throw new ShuttleError('EVIDENCE_LACKING', message, { at: { block_number: block } });
  }
  return proven;
}

const NOTHING = { code: 'EVIDENCE_UNREADABLE', sentence: 'There is none.', block: 0n } as const;

function report(
  { io, json, options, print }: Session,
  evidence: Evidence,
  proven: ProvenTransaction,
  bytes: number,
): void {
  const { key, block, hash, transaction, txId, genesisHash } = proven;
  const blocks = evidence.configs.length + evidence.definitions.length + 1;
  if (json && typeof options.out === 'string') {
    const { out: file } = options;
    print(plainJson({ file, bytes, key, block, hash, transaction, txId, genesisHash }));
    return;
  }
  const what = key === null ? `transaction ${txId}` : `${key}, transaction ${txId}`;
  const where = typeof options.out === 'string' ? options.out : 'standard output';
  io.stderr.write(
    `Evidence of ${what}, block ${block}, to ${where}: ${grouped(bytes)} bytes, ` +
      `${counted(blocks, 'block')} and ${counted(Number(block) + 1, 'header')} in it.\n` +
      `Who checks it pins the genesis block: --genesis ${genesisHash}\n`,
  );
}
