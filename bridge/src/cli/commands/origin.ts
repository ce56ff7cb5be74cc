/** origin: Kafka position, transaction and block of an entry, whichever of them is known. */
import { Command, Option } from 'commander';
import { createKeyExpression } from '../../batch/key-expression.ts';
import { ShuttleError } from '../../errors.ts';
import {
  keyAt,
  type Origin,
  type OriginDeps,
  originOf,
  type Position,
  rawPosition,
  type VersionOrigin,
} from '../../origin/origin.ts';
import type { TopicPartition } from '../../values.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import { type Cli, define, type Session, wholeOption } from '../session.ts';
import { counted, plainJson } from '../text.ts';
import { type EntryHead, readPages, splitEntry } from './pages.ts';

const LIMIT_DEFAULT = 10;
/** Versions of a key that are looked through for one position. */
const LOOKED_AT_MAX = 100_000;
const KINDS = ['key', 'position', 'transaction'] as const;
const POSITION = /^([^/]+)\/([0-9]{1,10})@([0-9]{1,19})$/;
const TX_ID = /^[0-9a-f]{64}$/;

type Kind = (typeof KINDS)[number];

export function originCommand(cli: Cli): Command {
  const command = new Command('origin')
    .description('tell Kafka position, transaction and block of what is on the ledger')
    .argument('<what>', 'a document key, <topic>/<partition>@<offset>, or a transaction id')
    .addOption(new Option('--as <kind>', 'what it is, where both would fit').choices([...KINDS]))
    .option('--limit <n>', `versions of a key to tell, newest first (default: ${LIMIT_DEFAULT})`);
  return define(cli, command, { once: true }, async (session, [what = '']) => {
    const deps = session.shuttle().origins();
    const kind = (session.options.as as Kind | undefined) ?? kindOf(what);
    if (kind === 'transaction') {
      return tellTransaction(session, await originOf(deps, what));
    }
    return kind === 'key' ? await tellKey(session, deps, what) : await tellAt(session, deps, what);
  });
}

function kindOf(what: string): Kind {
  return POSITION.test(what) ? 'position' : TX_ID.test(what) ? 'transaction' : 'key';
}

async function tellKey(session: Session, deps: OriginDeps, key: string): Promise<number> {
  const limit = wholeOption(session, 'limit', 1) ?? LIMIT_DEFAULT;
  const ledger = await session.shuttle().ledger();
  const { entries, bookmark } = await readPages(ledger, 'getHistory', key, limit, '');
  const found = new Map<string, Origin>();
  const versions: VersionOrigin[] = [];
  for (const entry of entries) {
    versions.push(await versionOrigin(deps, splitEntry(entry).head, found));
  }
  tellVersions(session, key, versions);
  if (bookmark !== '' && !session.json) {
    session.io.stderr.write('There are older versions: --limit tells more of them.\n');
  }
  return versions.length === 0 ? EXIT_FINDINGS : EXIT_OK;
}

async function tellAt(session: Session, deps: OriginDeps, what: string): Promise<number> {
  const { at, offset } = positionOf(what);
  const expression = createKeyExpression(session.loaded.settings.ingest.keyExpression);
  const key = await keyAt(deps, at, offset, expression);
  const ledger = await session.shuttle().ledger();
  const { entries } = await readPages(ledger, 'getHistory', key, LOOKED_AT_MAX, '');
  const head = entries
    .map((entry) => splitEntry(entry).head)
    .find(
      ({ source }) =>
        source?.topic === at.topic &&
        source.partition === at.partition &&
        source.offset === String(offset),
    );
  if (head === undefined) {
    const message = `No version of ${key} comes from there: not carried yet, or refused.`;
    throw new ShuttleError('NOT_FOUND', message, { at: { ...at, offset } });
  }
  tellVersions(session, key, [await versionOrigin(deps, head, new Map())]);
  return EXIT_OK;
}

function positionOf(what: string): { readonly at: TopicPartition; readonly offset: bigint } {
  const [, topic, partition, offset] = POSITION.exec(what) ?? [];
  if (topic === undefined || offset === undefined) {
    const message = 'A position is <topic>/<partition>@<offset>, such as shuttle.cleaned/0@123.';
    throw new ShuttleError('USAGE', message, { at: { position: what } });
  }
  return { at: { topic, partition: Number(partition) }, offset: BigInt(offset) };
}

async function versionOrigin(
  deps: OriginDeps,
  { txId = '', deleted = false, source }: EntryHead,
  found: Map<string, Origin>,
): Promise<VersionOrigin> {
  const transaction = found.get(txId) ?? (await originOf(deps, txId));
  found.set(txId, transaction);
  if (source === null || source.topic === null || source.offset === null) {
    return { deleted, position: null, raw: null, transaction };
  }
  const { topic, partition, stream = null } = source;
  const position = { stream, topic, partition: partition ?? 0, offset: BigInt(source.offset) };
  return { deleted, position, raw: await rawOrNull(deps, position), transaction };
}

/** The ledger's half of the answer does not wait for Kafka: the record may be gone, too. */
async function rawOrNull(deps: OriginDeps, position: Position): Promise<Position | null> {
  try {
    return await rawPosition(deps, position);
  } catch (error) {
    if (error instanceof ShuttleError) {
      return null;
    }
    throw error;
  }
}

function tellVersions(session: Session, key: string, versions: readonly VersionOrigin[]): void {
  if (session.json) {
    session.print(plainJson({ key, versions }));
    return;
  }
  for (const { deleted, position, raw, transaction } of versions) {
    const client = `a client of ${transaction.creatorMspId}`;
    session.print(
      `${position === null ? client : placeText(position)}${deleted ? '  (deleted)' : ''}`,
    );
    if (raw !== null) {
      session.print(`  raw record   ${placeText(raw)}`);
    }
    session.print(transactionLines(transaction).join('\n'));
  }
}

function tellTransaction(session: Session, origin: Origin): number {
  if (session.json) {
    session.print(plainJson(origin));
  } else {
    session.print(transactionLines(origin).join('\n'));
  }
  return EXIT_OK;
}

function transactionLines(origin: Origin): string[] {
  const { txId, validationCode, creatorMspId, batch, block } = origin;
  const time = origin.timestamp === null ? '' : `, ${new Date(origin.timestamp).toISOString()}`;
  const call = origin.function === null ? '' : `, ${origin.chaincode}: ${origin.function}`;
  return [
    `  transaction  ${txId}`,
    `               ${validationCode}, by ${creatorMspId}${call}${time}`,
    ...(batch === null ? [] : [`  batch        ${batchText(batch)}`]),
    `  block        ${block.number}, entry ${block.index}, hash ${block.hash}`,
  ];
}

function batchText({ topic, partition, lane, first, last, count }: NonNullable<Origin['batch']>) {
  const records = counted(count, 'record');
  return `${records} of ${topic}/${partition}, offsets ${first} to ${last}, lane ${lane}`;
}

function placeText({ topic, partition, offset }: Position): string {
  return `${topic}/${partition}@${offset}`;
}
