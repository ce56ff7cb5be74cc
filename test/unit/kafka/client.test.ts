import { describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { createKafkaClient } from '../../../bridge/src/kafka/client.ts';
import { isFenced, toKafkaError } from '../../../bridge/src/kafka/errors.ts';
import { abandonable, createCluster, hook } from '../../../bridge/src/kafka/hooks.ts';
import {
  blockTopicSpecs,
  createCommand,
  deadLetterSpecs,
  misfits,
} from '../../../bridge/src/kafka/topics.ts';
import { createTestLog } from '../../support/fakes.ts';

const kafkajsError = (fields: object, cause?: unknown) =>
  Object.assign(new Error('x', { cause }), { name: 'KafkaJSProtocolError', ...fields });

describe('an error of kafkajs', () => {
  it.each([
    ['KAFKA_REFUSED', kafkajsError({ name: 'KafkaJSSASLAuthenticationError' })],
    ['KAFKA_REFUSED', kafkajsError({ type: 'TOPIC_AUTHORIZATION_FAILED' })],
    ['KAFKA_REFUSED', kafkajsError({}, kafkajsError({ type: 'GROUP_AUTHORIZATION_FAILED' }))],
    ['KAFKA_REFUSED', kafkajsError({ code: 'SELF_SIGNED_CERT_IN_CHAIN' })],
    ['TOPIC_MISSING', kafkajsError({ type: 'UNKNOWN_TOPIC_OR_PARTITION' })],
    ['KAFKA_UNREACHABLE', kafkajsError({ name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' })],
    ['TOPIC_UNFIT', kafkajsError({}, kafkajsError({ type: 'INVALID_TIMESTAMP' }))],
    ['KAFKA_UNREACHABLE', 'not even an error'],
    ['CODEC_MISSING', kafkajsError({}, new ShuttleError('CODEC_MISSING', 'codec 9'))],
  ])('is named %s', (code, error) => {
    expect(toKafkaError(error, ['a:1']).code).toBe(code);
  });

  it('says whether another producer took over, by name or by number', () => {
    expect(isFenced(kafkajsError({}, kafkajsError({ type: 'INVALID_PRODUCER_EPOCH' })))).toBe(true);
    expect(isFenced(kafkajsError({ type: 'KAFKAJS_UNKNOWN_ERROR_CODE', code: 90 }))).toBe(true);
    expect(isFenced(kafkajsError({ type: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }))).toBe(false);
  });
});

describe('the log of kafkajs', () => {
  it('calls nothing an error, and what is usual no warning', () => {
    const log = createTestLog();
    const logger = createKafkaClient({ brokers: ['a:1'], clientId: 'x' }, log).kafka.logger();
    logger.error('Response Heartbeat(key: 12, version: 3)', {
      error: 'The group is rebalancing, so a rejoin is needed',
    });
    logger.error('Response', {
      error: 'The coordinator is loading and hence can`t process requests for this group',
    });
    logger.error('Response AddPartitionsToTxn(key: 24, version: 1)', {
      error:
        'The producer attempted to update a transaction while another concurrent operation on ' +
        'the same transaction was ongoing',
    });
    logger.error('Response CreateTopics', { error: 'Topic with this name already exists' });
    logger.info('Consumer has joined the group', {});
    logger.error('Connection error: connect ECONNREFUSED', { broker: 'a:1' });
    logger.error('Response Fetch', { error: 'The broker lost its disk', broker: 'a:1' });
    const usual = log.lines.slice(0, 6);
    expect(usual.map(({ level }) => level)).toEqual(Array(6).fill('debug'));
    expect(log.lines.slice(6)).toEqual([
      {
        level: 'warn',
        fields: expect.objectContaining({ broker: 'a:1' }),
        message: 'Kafka client warned',
      },
    ]);
  });
});

describe('kafkajs', () => {
  const kafka = new Kafka({ brokers: ['localhost:1'], logLevel: logLevel.NOTHING });

  it('has the inner shape that the hooks hold on to', () => {
    const cluster = createCluster(kafka, 1_000);
    for (const method of [
      'connect',
      'disconnect',
      'addMultipleTargetTopics',
      'refreshMetadata',
      'refreshMetadataIfNecessary',
      'findBroker',
      'findTopicPartitionMetadata',
      'findLeaderForPartitions',
      'fetchTopicsOffset',
    ]) {
      expect(cluster).toHaveProperty(method, expect.any(Function));
    }
  });

  it('lets its brokers be hooked, and stay so when they connect again', async () => {
    const own = new Kafka({ brokers: ['localhost:1'], logLevel: logLevel.NOTHING });
    const symbol = Object.getOwnPropertySymbols(own).find(
      ({ description }) => description === 'private:Kafka:createCluster',
    ) as symbol;
    const build = () => ({ request: { apiName: 'inner' } });
    const broker = { lookupRequest: () => build };
    (own as never as Record<symbol, unknown>)[symbol] = () => ({ findBroker: async () => broker });
    hook(own, (protocol) => ({ ...protocol, request: { apiName: 'outer' } }) as never);
    const cluster = createCluster(own, 1_000);
    const found = await cluster.findBroker({ nodeId: 1 });
    found.lookupRequest = () => build as never;
    await cluster.findBroker({ nodeId: 1 });
    expect(found.lookupRequest(1, null)({}).request.apiName).toBe('outer');
  });

  it('of another version is refused', () => {
    expect(() => createCluster({} as Kafka, 1)).toThrow('kafkajs is not version 2.2.4');
  });

  it('gives up at once when it is abandoned', async () => {
    const client = abandonable(kafka, () =>
      kafka.producer({ retry: { retries: 1_000_000, initialRetryTime: 1, maxRetryTime: 5 } }),
    );
    client.abandon();
    await expect(client.made.connect()).rejects.toThrow('abandoned');
  });
});

describe('a topic', () => {
  const names = { blocks: 'b', transactions: 't', changes: 'c', events: 'e' };
  const [blocks] = blockTopicSpecs(names, 1_000);
  const facts = (settings: Record<string, string>, partitions = 1, batchBytesMax = 66_536) => ({
    partitions,
    batchBytesMax,
    settings: new Map(Object.entries(settings)),
  });
  const forEver = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };

  it('of blocks has one partition, keeps all and takes every block', () => {
    expect(misfits(blocks as never, facts(forEver))).toEqual([]);
    expect(misfits(blocks as never, facts(forEver, 2))).toHaveLength(1);
    expect(misfits(blocks as never, facts(forEver, 1, 66_535))).toHaveLength(1);
    expect(misfits(blocks as never, facts({ ...forEver, 'retention.bytes': '1' }))).toEqual([
      'retention.bytes is 1 and has to be -1',
    ]);
    expect(misfits(blocks as never, facts({ ...forEver, 'cleanup.policy': 'compact' }))).toEqual([
      'cleanup.policy is compact and has to be delete',
    ]);
  });

  it('of transactions or events keeps what an older history holds, unless it is told less', () => {
    for (const name of ['t', 'e']) {
      const topic = blockTopicSpecs(names, 1_000).find((spec) => spec.name === name);
      expect(topic?.settings).toMatchObject(forEver);
      expect(misfits(topic as never, facts({ 'retention.ms': '1000' }))).toEqual([]);
    }
  });

  it('of changes is compacted', () => {
    const changes = blockTopicSpecs(names, 1_000).find(({ name }) => name === 'c');
    expect(changes?.settings).toMatchObject({ 'cleanup.policy': 'compact' });
  });

  it('of dead letters takes a copy of every record, with what is added to it', () => {
    const [letters] = deadLetterSpecs(new Map([['src', facts({}, 3, 500)]]));
    expect(letters).toMatchObject({
      name: 'src.dead-letters',
      partitions: 3,
      settings: { 'max.message.bytes': String(500 + 65_536), 'retention.ms': '-1' },
    });
  });

  it('takes every timestamp that the source took, in the words of the broker', () => {
    const bound = 'message.timestamp.after.max.ms';
    const [letters] = deadLetterSpecs(new Map([['src', facts({ [bound]: '3600000' }, 3, 500)]]));
    expect(letters?.settings).toMatchObject({ [bound]: '9223372036854775807' });
    const [older] = deadLetterSpecs(new Map([['src', facts({}, 3, 500)]]));
    expect(Object.keys(older?.settings ?? {}).join()).not.toContain('timestamp.after');
  });

  it('is created by hand with the command that is told', () => {
    const client = createKafkaClient({ brokers: ['a:1', 'b:2'], clientId: 'x' }, createTestLog());
    expect(createCommand(client, blocks as never)).toBe(
      'kafka-topics --bootstrap-server a:1,b:2 --create --topic b --partitions 1 ' +
        '--config cleanup.policy=delete --config retention.ms=-1 --config retention.bytes=-1 ' +
        '--config max.message.bytes=66536',
    );
  });
});
