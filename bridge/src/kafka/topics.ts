/** Makes sure that the topics exist and can do what Shuttle needs of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DOCUMENT_BYTES_MAX } from '@shuttle/chaincode/wire';
import { ShuttleError, toShuttleError } from '../errors.ts';
import { deadLetterTopic } from '../letters/names.ts';
import type { KafkaClient } from './client.ts';
import { hasType } from './errors.ts';
import { readTopicFacts, type TopicFacts } from './topic-facts.ts';

/** What headers and framing add to a record's copy, or to a block on its topic. */
export const COPY_MARGIN_BYTES = 64 * 1024;
/** The default of createTopics: as many as the broker's num.partitions. */
const BROKER_DEFAULT = -1;
const CREATE_TIMEOUT_MS = 10_000;
const KNOWN_DEADLINE_MS = 10_000;
const KNOWN_AGAIN_MS = 50;

/** A topic as it is created, and what of it has to hold when it is there already. */
export interface TopicSpec {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly required: {
    readonly partitions?: number;
    readonly batchBytesMin?: number;
    readonly settings?: Readonly<Record<string, string>>;
  };
}

export interface BlockTopics {
  readonly blocks: string;
  readonly transactions: string;
  readonly changes: string;
  readonly events: string;
}

/** Source topics: any settings do. */
export function sourceTopicSpecs(topics: readonly string[]): readonly TopicSpec[] {
  return topics.map((name) => ({
    name,
    partitions: BROKER_DEFAULT,
    settings: {},
    required: {},
  }));
}

/** By which brokers refuse timestamps that are far from now; each release knows some of them. */
const TIMESTAMP_BOUNDS = [
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
  'message.timestamp.difference.max.ms',
];
const NO_BOUND = (2n ** 63n - 1n).toString();

/** What the source took, its dead letters have to take too, with the same timestamp. */
function anyTimestamp(known: ReadonlyMap<string, string>): Record<string, string> {
  const bounds = TIMESTAMP_BOUNDS.filter((name) => known.has(name));
  return Object.fromEntries(bounds.map((name) => [name, NO_BOUND]));
}

/** Dead letters keep their records for ever, and hold whatever the source topic holds. */
export function deadLetterSpecs(sources: ReadonlyMap<string, TopicFacts>): readonly TopicSpec[] {
  return [...sources].map(([source, { partitions, batchBytesMax, settings }]) => {
    const batchBytesMin = batchBytesMax + COPY_MARGIN_BYTES;
    return {
      name: deadLetterTopic(source),
      partitions,
      settings: {
        'cleanup.policy': 'delete',
        'retention.ms': '-1',
        'retention.bytes': '-1',
        'message.timestamp.type': 'CreateTime',
        ...anyTimestamp(settings),
        'max.message.bytes': String(batchBytesMin),
      },
      required: { batchBytesMin, settings: { 'message.timestamp.type': 'CreateTime' } },
    };
  });
}

/**
 * The topics of one channel. `blockBytesMax` is the channel's AbsoluteMaxBytes: nothing that is
 * published of a block is larger than the block.
 */
export function blockTopicSpecs(names: BlockTopics, blockBytesMax: number): readonly TopicSpec[] {
  const batchBytesMin = blockBytesMax + COPY_MARGIN_BYTES;
  const size = { 'max.message.bytes': String(batchBytesMin) };
  const forEver = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  return [
    {
      name: names.blocks,
      partitions: 1,
      settings: { ...forEver, ...size },
      required: { partitions: 1, batchBytesMin, settings: forEver },
    },
    // Records have the ledger's times: by the brokers' default of a week, what is published of an
    // older history would be gone at once. Whoever wants less may say so on the topic.
    ...[names.transactions, names.events].map((name) => ({
      name,
      partitions: BROKER_DEFAULT,
      settings: { ...forEver, ...size },
      required: { batchBytesMin },
    })),
    {
      name: names.changes,
      partitions: BROKER_DEFAULT,
      settings: { 'cleanup.policy': 'compact', ...size },
      required: { batchBytesMin },
    },
  ];
}

/** How to create a topic by hand. */
export function createCommand(
  client: KafkaClient,
  { name, partitions, settings }: TopicSpec,
): string {
  return [
    `kafka-topics --bootstrap-server ${client.options.brokers.join(',')} --create --topic ${name}`,
    ...(partitions === BROKER_DEFAULT ? [] : [`--partitions ${partitions}`]),
    ...Object.entries(settings).map(([key, value]) => `--config ${key}=${value}`),
  ].join(' ');
}

const missing = (client: KafkaClient, specs: readonly TopicSpec[], cause?: unknown) =>
  new ShuttleError(
    'TOPIC_MISSING',
    `Topics are missing: ${specs.map(({ name }) => name).join(', ')}. Create them with: ` +
      `${specs.map((spec) => createCommand(client, spec)).join(' ; ')}`,
    { cause, at: { topics: specs.map(({ name }) => name).join(',') } },
  );

async function create(client: KafkaClient, specs: readonly TopicSpec[]): Promise<void> {
  if (client.options.createTopics === false) {
    throw missing(client, specs);
  }
  try {
    await client.admin((admin) =>
      admin.createTopics({
        // kafkajs' own wait takes a broker that has not heard of the topic yet for an error.
        waitForLeaders: false,
        timeout: CREATE_TIMEOUT_MS,
        topics: specs.map(({ name, partitions, settings }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor: client.options.replicationFactor ?? BROKER_DEFAULT,
          configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
        })),
      }),
    );
  } catch (error) {
    if (hasType(error, 'TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED')) {
      throw missing(client, specs, error);
    }
    throw error;
  }
  for (const { name } of specs) {
    client.log.info({ topic: name }, 'Topic was created');
  }
}

/** A topic that was created just now is not known to every broker at once. */
async function readWhenKnown(
  client: KafkaClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicFacts>> {
  for (const end = Date.now() + KNOWN_DEADLINE_MS; ; ) {
    try {
      return await readTopicFacts(client, names);
    } catch (error) {
      if (Date.now() > end || toShuttleError(error).code !== 'TOPIC_MISSING') {
        throw error;
      }
      await sleep(KNOWN_AGAIN_MS);
    }
  }
}

/** What of a topic does not fit, each with what it has to be. */
export function misfits({ required }: TopicSpec, facts: TopicFacts): readonly string[] {
  const found: string[] = [];
  if (required.partitions !== undefined && facts.partitions !== required.partitions) {
    found.push(`partitions is ${facts.partitions} and has to be ${required.partitions}`);
  }
  if (required.batchBytesMin !== undefined && facts.batchBytesMax < required.batchBytesMin) {
    found.push(
      `max.message.bytes is ${facts.batchBytesMax} and has to be ${required.batchBytesMin} or more`,
    );
  }
  for (const [name, value] of Object.entries(required.settings ?? {})) {
    const actual = facts.settings.get(name);
    if (actual !== value) {
      found.push(`${name} is ${actual} and has to be ${value}`);
    }
  }
  return found;
}

/**
 * Creates what is missing and checks what is there.
 *
 * @throws ShuttleError TOPIC_MISSING with the commands that create the topics; TOPIC_UNFIT;
 * KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export async function ensureTopics(
  client: KafkaClient,
  specs: readonly TopicSpec[],
): Promise<ReadonlyMap<string, TopicFacts>> {
  const existing = new Set(await client.admin((admin) => admin.listTopics()));
  const absent = specs.filter(({ name }) => !existing.has(name));
  if (absent.length > 0) {
    await create(client, absent);
  }
  const names = specs.map(({ name }) => name);
  const facts =
    absent.length > 0 ? await readWhenKnown(client, names) : await readTopicFacts(client, names);
  for (const spec of specs) {
    const known = facts.get(spec.name);
    const found = known === undefined ? [] : misfits(spec, known);
    if (found.length > 0) {
      throw new ShuttleError('TOPIC_UNFIT', `Topic ${spec.name}: ${found.join('; ')}.`, {
        at: { topic: spec.name },
      });
    }
  }
  return facts;
}

/** The source topics and the dead-letter topic of each. */
export async function ensureSourceTopics(
  client: KafkaClient,
  topics: readonly string[],
): Promise<void> {
  await ensureTopics(client, deadLetterSpecs(await ensureTopics(client, sourceTopicSpecs(topics))));
}

/** By which brokers take records away, by their timestamps and in all. */
const RETENTION = ['retention.ms', 'retention.bytes'];

/** What a topic keeps, another one with the same timestamps has to keep as well. */
function retentionOf(known: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    RETENTION.flatMap((name) => {
      const value = known.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/**
 * The raw topic, its dead letters, and the cleaned topic: as wide, with the raw timestamps, and
 * kept for as long. By a shorter retention old records would be gone before they are ingested.
 */
export async function ensureCleanTopics(
  client: KafkaClient,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const sources = await ensureTopics(client, sourceTopicSpecs([from]));
  const { partitions = BROKER_DEFAULT, settings = new Map<string, string>() } =
    sources.get(from) ?? {};
  const keepsTime = { 'message.timestamp.type': 'CreateTime' };
  const cleaned: TopicSpec = {
    name: to,
    partitions,
    settings: {
      ...keepsTime,
      ...anyTimestamp(settings),
      ...retentionOf(settings),
      'max.message.bytes': String(DOCUMENT_BYTES_MAX + COPY_MARGIN_BYTES),
    },
    required: { settings: keepsTime },
  };
  await ensureTopics(client, [...deadLetterSpecs(sources), cleaned]);
}

/** The topics of one channel. */
export async function ensureBlockTopics(
  client: KafkaClient,
  names: BlockTopics,
  blockBytesMax: number,
): Promise<void> {
  await ensureTopics(client, blockTopicSpecs(names, blockBytesMax));
}
