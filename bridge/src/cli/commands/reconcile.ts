/** Compares the source topic, the ledger and the blocks topic. */
import { Command } from 'commander';
import { FINDINGS, type Finding, type FindingKind } from '../../reconcile/findings.ts';
import type { ReconcileSummary } from '../../reconcile/reconcile.ts';
import { startBar } from '../bar.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, grouped, plainJson } from '../text.ts';

const TOLD_DEFAULT = 100;
const BAR = 'reconcile {bar} {percentage}%  {value}/{total} blocks  {duration_formatted}';

export function reconcileCommand(cli: Cli): Command {
  const command = new Command('reconcile')
    .description('compare a source topic, the ledger and the blocks topic, and tell differences')
    .requiredOption('--source <topic>', 'the cleaned topic')
    .option('--complete', 'what is not carried or published yet is a finding, too')
    .option('--no-values', 'do not compare documents, for a chaincode whose rules change them')
    .option('--max <count>', `findings of each kind to tell in full (default: ${TOLD_DEFAULT})`);
  return define(cli, command, { once: false, quiet: true }, async (session) => {
    const { io, json, options } = session;
    const told: Finding[] = [];
    const bar = json || !io.stderr.isTTY ? null : startBar(io.stderr, BAR);
    const shuttle = session.shuttle();
    const startedMs = shuttle.clock.now();
    const summary = await shuttle
      .reconcile(
        {
          topic: options.source as string,
          complete: options.complete === true,
          compareValues: options.values !== false,
          toldMax: wholeOption(session, 'max', 0) ?? TOLD_DEFAULT,
          onFinding: (finding) => void told.push(finding),
          onProgress: (blocks, height) => bar?.show(Number(blocks), Number(height)),
        },
        io.stopRequest(),
      )
      .finally(() => bar?.stop());
    const durationMs = shuttle.clock.now() - startedMs;
    report(session, told, { ...summary, durationMs });
    return summary.findingCount === 0 ? EXIT_OK : EXIT_FINDINGS;
  });
}

function report(
  session: Session,
  told: readonly Finding[],
  summary: ReconcileSummary & { readonly durationMs: number },
): void {
  if (session.json) {
    const { findings, findingCount, ...counts } = summary;
    session.print(plainJson({ ...counts, findingCount, findingCounts: findings, findings: told }));
    return;
  }
  for (const finding of told) {
    session.print(findingText(finding));
  }
  const { recordsRead, applied, refused, gone, pending } = summary;
  const kinds = Object.entries(summary.findings) as [FindingKind, number][];
  for (const [kind, count] of kinds) {
    session.print(`${grouped(count)} x ${kind}: ${FINDINGS[kind]}`);
  }
  const notes = [
    gone > 0 ? `${grouped(gone)} finished and gone from the source` : '',
    pending > 0 ? `${grouped(pending)} not carried yet` : '',
  ].filter(Boolean);
  session.print(
    [`${counted(recordsRead, 'record')} read: ${grouped(applied)} applied`]
      .concat(`${grouped(refused)} refused`, notes)
      .join(', '),
  );
  session.print(
    `${counted(Number(summary.channelBlocks), 'block')} on the channel, ` +
      `${grouped(summary.topicBlocks)} on the topic` +
      (summary.pendingBlocks > 0n ? `, ${summary.pendingBlocks} not published yet` : ''),
  );
  session.print(`${counted(summary.findingCount, 'finding')}`);
}

function findingText(finding: Finding): string {
  const { kind, partition, offset, keyHash, txId, blockNumber, detail } = finding;
  const parts = [
    kind,
    partition === undefined ? '' : `partition ${partition}`,
    offset === undefined ? '' : `offset ${offset}`,
    keyHash === undefined ? '' : `key hash ${keyHash}`,
    blockNumber === undefined ? '' : `block ${blockNumber}`,
    txId === undefined ? '' : `transaction ${txId}`,
    detail ?? '',
  ];
  return parts.filter(Boolean).join('  ');
}
