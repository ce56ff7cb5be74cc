/** verify: proves a chain of blocks, or a piece of evidence, by its bytes alone. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { PeerBlocks } from '../../chain/peers.ts';
import type { BlockSource } from '../../chain/source.ts';
import { type ChainOptions, type ChainSummary, verifyChain } from '../../chain/verify.ts';
import { attestationKeys } from '../../config/publish-keys.ts';
import { ShuttleError } from '../../errors.ts';
import { startBlocksBar } from '../blocks-bar.ts';
import { createFileSource } from '../blocks-files.ts';
import { EXIT_FINDINGS, EXIT_OK, EXIT_STOPPED } from '../io.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, plainJson } from '../text.ts';
import { keepTrust, readTrust, type Trust } from '../trust.ts';
import { chainLines, findingText } from '../verify-text.ts';
import { verifyProof } from './verify-proof.ts';

const TOLD_DEFAULT = 100;

export function verifyCommand(cli: Cli): Command {
  const command = new Command('verify')
    .description('prove the chain on the blocks topic, in a file or of a peer, offline')
    .addOption(
      new Option(
        '--proof <file>',
        'check evidence of `shuttle proof` instead of a chain',
      ).conflicts(['file', 'height', 'peer', 'replay', 'maxFindings']),
    )
    .option('--out <file>', 'with --proof, write the document there')
    .option('--force', 'replace a file that is there')
    .option('--file <archive>', 'blocks that `shuttle export` has written')
    .addOption(
      new Option('--source <source>', 'where the blocks are read without --file')
        .choices(['topic', 'peer'])
        .default('topic'),
    )
    .option('--genesis <hash|file>', 'the block 0 to rest on: its header hash, or a file with it')
    .option('--trust <file>', 'keep the genesis hash here at the first use, and rest on it then')
    .option('--height <number>', 'the chain has to reach this block')
    .option(
      '--peer <peer>',
      "compare with another organisation's peer: host:port=CA.pem, or its connection profile",
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    )
    .addOption(
      new Option(
        '--headers',
        "verify the header chain by the records' headers, without a key",
      ).conflicts(['file', 'peer', 'replay']),
    )
    .option(
      '--attested-by <key.pem>',
      'public key whose attestation each block of the topic should have',
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
    )
    .option(
      '--replay',
      'follow the state, to prove codes that need it; memory grows with the ledger',
    )
    .option('--strict', 'what cannot be proven is a failure, too')
    .option('--max-findings <count>', `findings to tell in full (default: ${TOLD_DEFAULT})`);
  return define(cli, command, { once: false, quiet: true }, (session) =>
    typeof session.options.proof === 'string'
      ? verifyProof(session, session.options.proof)
      : verify(session),
  );
}

async function verify(session: Session): Promise<number> {
  const { io, options } = session;
  const height = wholeOption(session, 'height', 0);
  const toldMax = wholeOption(session, 'maxFindings', 0) ?? TOLD_DEFAULT;
  const trust = await readTrust(options, io.cwd);
  const stop = io.stopRequest();
  const { clock } = session.shuttle();
  const startedMs = clock.now();
  const peers = await peersOf(session);
  const source = await sourceOf(session);
  const bar = startBlocksBar(session, 'verify');
  try {
    const summary = await verifyChain(
      source,
      {
        genesisHash: trust.genesisHash,
        channel: channelOf(session),
        height: height === undefined ? null : BigInt(height),
        replay: options.replay === true,
        headersOnly: options.headers === true,
        ...attestedBy(session),
        peers,
        toldMax,
        onProgress: bar.onProgress,
      },
      stop,
    ).finally(() => bar.stop());
    if (summary.last === null && summary.isComplete && summary.findingCount === 0) {
      throw new ShuttleError('BLOCK_MISSING', `There is no block in the ${source.name}.`);
    }
    // A chain with something wrong in it is not trusted from then on.
    if (summary.genesisHash !== null && summary.findingCount === 0) {
      await keepTrust(trust, summary.genesisHash, io);
    }
    report(session, source, { ...summary, durationMs: clock.now() - startedMs }, trust);
    return exitCode(summary, options.strict === true);
  } finally {
    await source.close();
  }
}

async function sourceOf({ io, options, shuttle }: Session): Promise<BlockSource> {
  return typeof options.file === 'string'
    ? createFileSource(resolve(io.cwd, options.file), options.file)
    : await shuttle().blockSource(options.source as 'topic' | 'peer', options.headers === true);
}

function attestedBy({ io, options }: Session): Pick<ChainOptions, 'attestedBy'> {
  const paths = (options.attestedBy as readonly string[] | undefined) ?? [];
  const files = paths.map((path) => resolve(io.cwd, path));
  return files.length === 0 ? {} : { attestedBy: attestationKeys(files, '--attested-by') };
}

async function peersOf({ io, options, shuttle }: Session): Promise<readonly PeerBlocks[]> {
  const names = (options.peer as readonly string[] | undefined) ?? [];
  return await Promise.all(names.map((name) => shuttle().otherPeer(name, io.cwd)));
}

/** An archive may be of any channel, unless one is configured. */
function channelOf({ options, loaded }: Session): string | null {
  const isSaid = loaded.sources.get('fabric.channel') !== 'default';
  return typeof options.file === 'string' && !isSaid ? null : loaded.settings.fabric.channel;
}

function exitCode(summary: ChainSummary, isStrict: boolean): number {
  const isDoubted = isStrict && Object.keys(summary.doubts).length > 0;
  if (summary.findingCount > 0 || isDoubted) {
    return EXIT_FINDINGS;
  }
  const unasked = summary.peers.find(({ error }) => error !== null)?.error;
  return summary.isComplete ? (unasked?.kind.exit ?? EXIT_OK) : EXIT_STOPPED;
}

function report(
  session: Session,
  source: BlockSource,
  summary: ChainSummary & { readonly durationMs: number },
  trust: Trust,
): void {
  if (session.json) {
    const peers = summary.peers.map(({ error, ...peer }) => ({
      ...peer,
      error: error === null ? null : { code: error.code, message: error.message },
    }));
    session.print(plainJson({ source: source.name, trust, ...summary, peers }));
    return;
  }
  const { findings, findingCount, isComplete } = summary;
  for (const finding of findings) {
    session.print(findingText(finding));
  }
  for (const line of chainLines(source.name, summary, trust)) {
    session.print(line);
  }
  session.print(isComplete ? counted(findingCount, 'finding') : 'Stopped before the end.');
}
