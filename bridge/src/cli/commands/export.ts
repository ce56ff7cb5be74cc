/** export: a stretch of the chain as an archive. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type ExportOptions, type ExportSummary, exportBlocks } from '../../chain/export.ts';
import { ShuttleError } from '../../errors.ts';
import { startBlocksBar } from '../blocks-bar.ts';
import { createFile } from '../blocks-files.ts';
import { EXIT_OK, EXIT_STOPPED } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';

const RANGE = /^(?:([0-9]{1,18})(\.\.([0-9]{1,18})?)?|\.\.([0-9]{1,18}))$/;

export function exportCommand(cli: Cli): Command {
  const command = new Command('export')
    .description('write blocks to a file, which `shuttle verify --file` proves anywhere')
    .argument('<file>', 'the archive to write; - is standard output')
    .option('--blocks <range>', 'A..B, A.. or ..B, or one block A (default: all)', '0..')
    .addOption(
      new Option('--source <source>', 'where the blocks are read')
        .choices(['topic', 'peer'])
        .default('topic'),
    )
    .option('--force', 'replace a file that is there');
  return define(cli, command, { once: false, quiet: true }, async (session, [file = '']) => {
    const { io, options } = session;
    const range = rangeOf(String(options.blocks));
    const stop = io.stopRequest();
    const shuttle = session.shuttle();
    const target = file === '-' ? file : resolve(io.cwd, file);
    const archive = await createFile(target, io, options.force === true);
    try {
      const from = options.source as 'topic' | 'peer';
      const startedMs = shuttle.clock.now();
      const write = (bytes: Uint8Array) => archive.write(bytes);
      const summary = await copy(session, from, { ...range, write }, stop);
      await (summary.isComplete ? archive.finish() : archive.abandon());
      report(session, file, { ...summary, durationMs: shuttle.clock.now() - startedMs });
      return summary.isComplete ? EXIT_OK : EXIT_STOPPED;
    } catch (error) {
      await archive.abandon().catch(() => undefined);
      throw error;
    }
  });
}

async function copy(
  session: Session,
  from: 'topic' | 'peer',
  options: Omit<ExportOptions, 'onProgress'>,
  stop: AbortSignal,
): Promise<ExportSummary> {
  const source = await session.shuttle().blockSource(from);
  const bar = startBlocksBar(session, 'export');
  try {
    return await exportBlocks(source, { ...options, onProgress: bar.onProgress }, stop);
  } finally {
    bar.stop();
    await source.close();
  }
}

/** @throws ShuttleError USAGE */
function rangeOf(text: string): { readonly first: bigint; readonly last: bigint | null } {
  const found = RANGE.exec(text);
  const [, from, dots, to, upTo] = found ?? [];
  const first = BigInt(from ?? 0);
  const end = upTo ?? (dots === undefined ? from : to);
  const last = end === undefined ? null : BigInt(end);
  if (found === null || (last !== null && last < first)) {
    throw new ShuttleError('USAGE', '--blocks is no range such as 0..99, 100.. or 7.', {
      at: { '--blocks': text },
    });
  }
  return { first, last };
}

function report(
  session: Session,
  file: string,
  summary: ExportSummary & { readonly durationMs: number },
): void {
  // The archive itself goes to standard output when it is asked to.
  const out = file === '-' ? session.io.stderr : session.io.stdout;
  if (session.json) {
    out.write(`${plainJson({ file, ...summary })}\n`);
    return;
  }
  const { blocks, bytes, first, last, isComplete, durationMs } = summary;
  if (!isComplete) {
    out.write('Stopped before the last block; no file was written.\n');
    return;
  }
  const seconds = Math.max(durationMs, 1) / 1_000;
  const where = file === '-' ? 'standard output' : file;
  out.write(
    `Exported: ${counted(blocks, 'block')} (${grouped(bytes)} bytes) to ${where} ` +
      `in ${seconds.toFixed(1)} s.\n` +
      `first  ${first.number}  ${first.hash}\nlast   ${last.number}  ${last.hash}\n`,
  );
}
