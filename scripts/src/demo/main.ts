/** The whole circle in one go: a story onto a topic, into the ledger, and back out to Kafka. */
import { describeNetwork } from '@shuttle/network';
import type { Kafka } from 'kafkajs';
import { type CommandOptions, runCommand } from './commands.ts';
import { connectKafka, endsOf, ensureTopic, type Offsets, produce, withAdmin } from './kafka.ts';
import { DemoError, type DemoOptions, parseDemoOptions } from './options.ts';
import { type Proof, type ProofTopics, readProof } from './proof.ts';
import { WRONG_RECORDS } from './raw.ts';
import { grouped, heading, line, short, table } from './screen.ts';
import { createSending, type Sending, SHOWN_PLACE } from './sending.ts';
import { placeKey } from './story.ts';
import { CENTRE } from './world.ts';

const RAW = 'shuttle.raw';
const CLEANED = 'shuttle.cleaned';
/** The rules that the raw events are cleaned by. */
const RULES = 'preset:epcis';
const PARTITIONS = 4;
const LOCAL_BROKER = 'localhost:9092';
const REASON_WIDTH = 100;
const ITEM_EVENTS = '6';
/** The place whose last version is shown: it is not deleted in the end. */
const SHOWN_PLACE_KEPT = placeKey(CENTRE);

/** Where the topics ended before, so that this run's records can be told from earlier ones. */
export type Ends = ReadonlyMap<string, Offsets>;

interface Stage {
  readonly kafka: Kafka;
  readonly topics: ProofTopics;
  readonly command: CommandOptions;
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseDemoOptions(args);
  const stage = await raiseNetwork(options);
  const before = await endsOfAll(stage);
  const sending = await sendStory(stage, options, before);

  await showCleaning(stage, sending);
  heading('Into the ledger');
  const ingestMs = await timed(() => pipeline(stage, ['ingest']));
  heading('And back out to Kafka');
  const publishMs = await timed(() => pipeline(stage, ['publish']));

  await showDocuments(stage);
  await showTrace(stage, sending);
  const proof = await readProof(stage.kafka, stage.topics, before, await endsOfAll(stage));
  showChanges(proof);
  showDeadLetters(proof);
  showSummary(sending, proof, ingestMs, publishMs);
  checkProof(sending, proof);
  showWhatNext(stage);
}

async function raiseNetwork({ portOffset }: DemoOptions): Promise<Stage> {
  heading('A Fabric network and a Kafka broker on this machine');
  const flags = portOffset === undefined ? [] : ['--port-offset', String(portOffset)];
  await runCommand('shuttle-network', ['up', ...flags]);
  const { kafka, channel } = await describeNetwork();
  const brokers = kafka.brokers.join(',');
  // On other ports than the usual ones the commands have to be told.
  const env: Record<string, string> = { KAFKAJS_NO_PARTITIONER_WARNING: '1' };
  if (!kafka.brokers.includes(LOCAL_BROKER)) {
    env.SHUTTLE_KAFKA__BROKERS = brokers;
  }
  const out = (kind: string) => `shuttle.${channel}.${kind}`;
  const topics: ProofTopics = {
    source: CLEANED,
    letters: [RAW, CLEANED].map((topic) => `${topic}.dead-letters`),
    blocks: out('blocks'),
    transactions: out('transactions'),
    changes: out('changes'),
  };
  return { kafka: connectKafka(kafka.brokers), topics, command: { env } };
}

function endsOfAll({ kafka, topics }: Stage): Promise<Ends> {
  return withAdmin(kafka, async (admin) => {
    const ends = new Map<string, Offsets>();
    for (const topic of [RAW, ...Object.values(topics).flat()]) {
      ends.set(topic, await endsOf(admin, topic));
    }
    return ends;
  });
}

async function sendStory(stage: Stage, options: DemoOptions, before: Ends): Promise<Sending> {
  const held = [...(before.get(RAW)?.values() ?? [])].reduce((sum, end) => sum + end, 0n);
  const seed = options.seed ?? Number((held + 1n) % 2n ** 32n);
  heading(`A supply-chain story of ${grouped(options.events)} EPCIS events, from seed ${seed}`);
  if (held > 0n) {
    line(`  ${RAW} holds ${grouped(Number(held))} records of earlier runs; they stay.`);
    const [goods, places] =
      options.seed === undefined
        ? ['This run tells of new goods.', 'The places are the same, and get further versions.']
        : ['Keys that were sent before get further versions.', ''];
    line(`  ${goods} ${places}`.trimEnd());
  }
  await withAdmin(stage.kafka, async (admin) => {
    await ensureTopic(admin, RAW, PARTITIONS);
    await ensureTopic(admin, CLEANED, PARTITIONS);
  });
  const sending = createSending({ seed, events: options.events });
  const bar = process.stderr.isTTY;
  let sent = 0;
  await produce(stage.kafka, RAW, sending.events(), (count) => {
    sent += count;
    if (bar) {
      process.stderr.write(`\r  ${grouped(sent)} records sent`);
    }
  });
  if (bar) {
    process.stderr.write('\r\u001b[K');
  }
  const counts = [...sending.counts].map(([kind, count]) => `${grouped(count)} x ${kind}`);
  line(`  ${counts.join(', ')}.`);
  const raw = `${grouped(sending.records.raw)} events as partners write them`;
  line(`  On ${RAW}: ${raw}, and ${WRONG_RECORDS.length} records that are wrong on purpose.`);
  return sending;
}

async function showCleaning(stage: Stage, { shown, places }: Sending): Promise<void> {
  heading('Raw records become clean ones, or dead letters');
  await pipeline(stage, ['clean', '--rules', RULES]);
  await produce(stage.kafka, CLEANED, places, () => {});
  line(
    `  Beside them on ${CLEANED}: ${grouped(places.length)} documents of places, clean as they are.`,
  );
  if (shown !== null) {
    line('\n  What the rules made of one of them:\n');
    const record = ['--record', shown.value ?? ''];
    await runCommand('shuttle', ['clean', 'explain', '--rules', RULES, ...record], stage.command);
  }
}

/** A terminal shows the commands' progress bars; elsewhere only what goes wrong is logged. */
function pipeline({ command }: Stage, words: readonly string[]): Promise<void> {
  return runCommand('shuttle', [...words, '--until-end'], {
    ...command,
    quietly: ['--log-level', 'warn'],
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

async function showDocuments({ command }: Stage): Promise<void> {
  heading('Ask the ledger for a document, and for all that it has been');
  await runCommand('shuttle', ['getData', SHOWN_PLACE_KEPT], command);
  await runCommand('shuttle', ['history', SHOWN_PLACE, '--limit', '5'], command);
}

async function showTrace(stage: Stage, { lot, item }: Sending): Promise<void> {
  const { command } = stage;
  if (lot === null || item === null) {
    return;
  }
  heading('Where a case has been, what is in it, and what it went into');
  await pipeline(stage, ['index']);
  await runCommand('shuttle', ['item', item, '--limit', ITEM_EVENTS], command);
  await runCommand('shuttle', ['trace', item], command);
  heading('A recall: what held the lot of yoghurt in that case, and where it was seen');
  await runCommand('shuttle', ['recall', lot], command);
}

function showChanges({ lastChanges }: Proof): void {
  heading('The last changes on Kafka, read by a plain kafkajs consumer');
  for (const { partition, offset, key, value } of lastChanges) {
    line(`  ${partition}:${offset}  ${key}`);
    line(`      ${value === null ? '(deleted)' : short(inBrief(value))}`);
  }
}

/** What is the same in every event, or stands in its key, leaves no room for what does not. */
function inBrief(value: string): string {
  return value.replace(/"@context":\[.*?\}\],|"eventID":".*?",|"eventTimeZoneOffset":".*?",/g, '');
}

function showDeadLetters({ deadLetters }: Proof): void {
  heading('The dead letters: nothing disappears');
  table([
    ['position', 'key', 'rule', 'code', 'reason'],
    ...deadLetters.map(({ position, key, rule, code, reason }) => [
      position,
      key,
      rule,
      code,
      short(reason, REASON_WIDTH),
    ]),
  ]);
}

function showSummary(sending: Sending, proof: Proof, ingestMs: number, publishMs: number): void {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const pace = (count: number, ms: number): string =>
    `${grouped(Math.round(count / (ms / 1_000)))} records/s`;
  heading('Summary');
  table([
    ['raw records sent', grouped(sending.records.raw + WRONG_RECORDS.length)],
    ['clean records sent', grouped(sending.places.length)],
    ['on ledger and changes topic, once', grouped(proof.applied)],
    ['dead letters', grouped(proof.deadLetters.length)],
    ['transactions published', grouped(proof.transactions)],
    ['blocks published', grouped(proof.blocks)],
    ['ingest, with its start', `${seconds(ingestMs)}, ${pace(proof.applied, ingestMs)}`],
    ['publish, with its start', `${seconds(publishMs)}, ${pace(proof.applied, publishMs)}`],
  ]);
}

/** @throws DemoError when the figures do not add up */
function checkProof(sending: Sending, proof: Proof): void {
  const wanted = sending.records.raw + sending.places.length;
  const refused = proof.deadLetters.length;
  const isWhole = proof.applied === wanted && refused === WRONG_RECORDS.length;
  if (isWhole && proof.repeated === 0 && proof.disordered === 0) {
    line('\n  Every good record is on the changes topic exactly once, in order per key;');
    line('  every wrong one is a dead letter, once.');
    return;
  }
  throw new DemoError(
    `Of ${wanted} records, ${proof.applied} are on the changes topic, ` +
      `${proof.repeated} more than once and ${proof.disordered} out of order; ` +
      `of ${WRONG_RECORDS.length} wrong ones ${refused} are dead letters.`,
    1,
  );
}

function showWhatNext({ command }: Stage): void {
  heading('The network is still up. Try next');
  table([
    ['npx shuttle status', 'watermarks, lag, last block'],
    ['npx shuttle list location/', 'the places, as they are now'],
    ["npx shuttle trace '(01)…(21)…'", 'any item of the recall, in any spelling'],
    ['npx shuttle dead-letters list', 'what was refused, and why'],
    ['npx shuttle tail changes', 'the newest versions on Kafka'],
    ['npx shuttle set hello \'{"a":1}\'', 'write a document yourself'],
    ['npx shuttle run', 'both pipelines, until Ctrl-C'],
    ['npx shuttle-network status', 'what runs, and where'],
    ['./scripts/demo', 'another story on the same ledger'],
    ['npx shuttle-network down', 'stop all; --delete removes the data too'],
  ]);
  const brokers = command.env?.SHUTTLE_KAFKA__BROKERS;
  if (brokers !== undefined) {
    line(`\n  For all of them: export SHUTTLE_KAFKA__BROKERS=${brokers}`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof DemoError;
  process.stderr.write(`\nThe demo stopped. ${known ? error.message : String(error)}\n`);
  if (!known && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  }
  process.exitCode = known ? error.exitCode : 1;
}
