/**
 * What anybody would write who only copies: plain kafkajs, consume, transact, produce, with the
 * offsets in the transaction. Told brokers, source, target and how many records; answers JSON.
 */
import { Kafka, logLevel } from 'kafkajs';
import { seconds } from './world.ts';

const [brokers = '', from = '', to = '', count = '0'] = process.argv.slice(2);
const records = Number(count);
const TRANSACTION_RECORDS = 4_000;

const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const groupId = `bare-${to}`;
const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, maxBytesPerPartition: 4_194_304 });
const producer = kafka.producer({
  transactionalId: groupId,
  idempotent: true,
  maxInFlightRequests: 1,
  // The default waits 300 ms at the begin of each transaction.
  retry: { initialRetryTime: 10, retries: 20 },
});
await Promise.all([consumer.connect(), producer.connect()]);
await consumer.subscribe({ topic: from, fromBeginning: true });

let startMs = 0;
let done = 0;
const finished = new Promise<void>((resolve, reject) => {
  consumer
    .run({
      autoCommit: false,
      eachBatch: async ({ batch: { messages, partition } }) => {
        startMs = startMs === 0 ? performance.now() : startMs;
        for (let i = 0; i < messages.length; i += TRANSACTION_RECORDS) {
          const part = messages.slice(i, i + TRANSACTION_RECORDS);
          const offset = String(BigInt(part.at(-1)?.offset ?? 0) + 1n);
          const transaction = await producer.transaction();
          await transaction.send({
            topic: to,
            messages: part.map(({ key, value, timestamp }) => ({ key, value, timestamp })),
          });
          await transaction.sendOffsets({
            consumerGroupId: groupId,
            topics: [{ topic: from, partitions: [{ partition, offset }] }],
          });
          await transaction.commit();
          done += part.length;
        }
        if (done >= records) {
          resolve();
        }
      },
    })
    .catch(reject);
});
await finished;
const recordsPerSecond = done / seconds(startMs);
process.stdout.write(JSON.stringify({ recordsPerSecond }));
process.exit(0);
