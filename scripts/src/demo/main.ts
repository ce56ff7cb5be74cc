/** The whole circle in one go: a story onto a topic, into the ledger, and back out to Kafka. */
import { describeNetwork } from '@shuttle/network';
import type { Kafka } from 'kafkajs';
import { createSending, type Sending, SHOWN_PLACE, WRONG_RECORDS } from './cleaned.ts';
import { type CommandOptions, readCommand, runCommand } from './commands.ts';
import { connectKafka, endsOf, ensureTopic, type Offsets, produce, withAdmin } from './kafka.ts';
import { DemoError, type DemoOptions, parseDemoOptions } from './options.ts';
import { type Proof, readProof } from './proof.ts';
import { grouped, heading, line, short, table } from './screen.ts';

const CLEANED = 'shuttle.cleaned';
const PARTITIONS = 4;
const LOCAL_BROKER = 'localhost:9092';

/** Where the topics ended before, so that this run's records can be told from earlier ones. */
export type Ends = ReadonlyMap<string, Offsets>;

interface Stage {
  readonly kafka: Kafka;
  readonly topics: readonly string[];
  readonly command: CommandOptions;
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseDemoOptions(args);
  const stage = await raiseNetwork(options);
  const before = await endsOfAll(stage);
  const sending = await sendStory(stage, options, before);

  heading('Into the ledger');
  const ingestMs = await timed(() => pipeline(stage, 'ingest'));
  heading('And back out to Kafka');
  const publishMs = await timed(() => pipeline(stage, 'publish'));

  await showDocuments(stage, sending);
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
  const out = ['blocks', 'transactions', 'changes'].map((kind) => `shuttle.${channel}.${kind}`);
  const topics = [CLEANED, `${CLEANED}.dead-letters`, ...out];
  return { kafka: connectKafka(kafka.brokers), topics, command: { env } };
}

function endsOfAll({ kafka, topics }: Stage): Promise<Ends> {
  return withAdmin(kafka, async (admin) => {
    const ends = new Map<string, Offsets>();
    for (const topic of topics) {
      ends.set(topic, await endsOf(admin, topic));
    }
    return ends;
  });
}

async function sendStory(stage: Stage, options: DemoOptions, before: Ends): Promise<Sending> {
  const held = [...(before.get(CLEANED)?.values() ?? [])].reduce((sum, end) => sum + end, 0n);
  const seed = options.seed ?? Number((held + 1n) % 2n ** 32n);
  heading(`A supply-chain story of ${grouped(options.events)} EPCIS events, from seed ${seed}`);
  if (held > 0n) {
    line(`  ${CLEANED} holds ${grouped(Number(held))} records of earlier runs; they stay.`);
    const [goods, places] =
      options.seed === undefined
        ? ['This run tells of new goods.', 'The places are the same, and get further versions.']
        : ['Keys that were sent before get further versions.', ''];
    line(`  ${goods} ${places}`.trimEnd());
  }
  const partitions = await withAdmin(stage.kafka, (admin) =>
    ensureTopic(admin, CLEANED, PARTITIONS),
  );
  const sending = createSending({ seed, events: options.events });
  const bar = process.stderr.isTTY;
  await produce(stage.kafka, CLEANED, sending.iterate(), () => {
    if (bar) {
      process.stderr.write(`\r  ${grouped(sending.records)} records sent`);
    }
  });
  if (bar) {
    process.stderr.write('\r\u001b[K');
  }
  const counts = [...sending.counts].map(([kind, count]) => `${grouped(count)} x ${kind}`);
  line(`  ${grouped(sending.records)} records on ${CLEANED}, ${partitions} partitions:`);
  line(`  ${counts.join(', ')},`);
  line(`  and ${WRONG_RECORDS.length} that are wrong on purpose`);
  return sending;
}

/** A terminal shows the commands' progress bars; elsewhere only what goes wrong is logged. */
function pipeline({ command }: Stage, name: 'ingest' | 'publish'): Promise<void> {
  return runCommand('shuttle', [name, '--until-end'], {
    ...command,
    quietly: ['--log-level', 'warn'],
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

async function showDocuments({ command }: Stage, { shown }: Sending): Promise<void> {
  heading('Ask the ledger');
  if (shown !== null) {
    const bytes = await readCommand('shuttle', ['getData', shown.key], command);
    const text = bytes.toString();
    line(text.trimEnd());
    if (text !== shown.value) {
      throw new DemoError('The ledger does not hold the event as it was sent.', 1);
    }
    line('  Byte for byte what was sent.\n');
  }
  await runCommand('shuttle', ['history', SHOWN_PLACE, '--limit', '5'], command);
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
    ['position', 'key', 'code', 'reason'],
    ...deadLetters.map(({ position, key, code, reason }) => [position, key, code, reason]),
  ]);
}

function showSummary(sending: Sending, proof: Proof, ingestMs: number, publishMs: number): void {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const pace = (count: number, ms: number): string =>
    `${grouped(Math.round(count / (ms / 1_000)))} records/s`;
  heading('Summary');
  table([
    ['records sent', grouped(sending.records)],
    ['on ledger and changes topic, once', grouped(proof.applied)],
    ['dead letters', grouped(proof.deadLetters.length)],
    ['transactions published', grouped(proof.transactions)],
    ['blocks published', grouped(proof.blocks)],
    ['ingest, with its start', `${seconds(ingestMs)}, ${pace(sending.records, ingestMs)}`],
    ['publish, with its start', `${seconds(publishMs)}, ${pace(proof.applied, publishMs)}`],
  ]);
}

/** @throws DemoError when the figures do not add up */
function checkProof(sending: Sending, proof: Proof): void {
  const wanted = sending.records - WRONG_RECORDS.length;
  if (proof.repeated === 0 && proof.applied === wanted && proof.disordered === 0) {
    line('\n  Every record sent is on the changes topic exactly once, in order per key.');
    return;
  }
  throw new DemoError(
    `Of ${wanted} records, ${proof.applied} are on the changes topic, ` +
      `${proof.repeated} more than once and ${proof.disordered} out of order.`,
    1,
  );
}

function showWhatNext({ command }: Stage): void {
  heading('The network is still up. Try next');
  table([
    ['npx shuttle status', 'watermarks, lag, last block'],
    ['npx shuttle list location/', 'the places, as they are now'],
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
