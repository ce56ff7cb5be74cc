import { afterEach, describe, expect, test } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { createHttpServer } from '../../../bridge/src/http/server.ts';
import { Outage } from '../../../bridge/src/outage.ts';
import { createMeter } from '../../../bridge/src/system/meter.ts';
import { createReadiness } from '../../../bridge/src/system/readiness.ts';
import { createTestLog, testClock } from '../../support/fakes.ts';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

function serve(ask: { kafka: () => Promise<unknown>; fabric: () => Promise<unknown> }) {
  const meter = createMeter();
  const clock = { ...testClock, nowMs: 0, now: () => clock.nowMs };
  const outage = new Outage(createTestLog(), meter, clock);
  const waits = () => outage.waits();
  const server = createHttpServer({
    notReady: createReadiness({ figures: () => meter.figures(), waits, meter, clock, ask }),
    metrics: () => meter.metrics(),
    metricsContentType: meter.contentType,
  });
  open.push(server);
  return { meter, server, clock, outage };
}

const yes = async () => 'yes';
const no = () => Promise.reject(new Error('no'));

describe('health', () => {
  test('the process is alive even when nothing else is', async () => {
    const { server } = serve({ kafka: no, fabric: no });
    const answer = await server.inject('/healthz');
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'alive' }]);
  });

  test('it is ready when both sides answer', async () => {
    const { server } = serve({ kafka: yes, fabric: yes });
    const answer = await server.inject('/readyz');
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ready' }]);
  });

  test('with Kafka and Fabric down it is not ready, and says why', async () => {
    const { server } = serve({ kafka: no, fabric: no });
    const answer = await server.inject('/readyz');
    expect([answer.statusCode, answer.json()]).toEqual([
      503,
      { status: 'not ready', reasons: ['kafka is unreachable', 'fabric is unreachable'] },
    ]);
  });

  test('a side that hangs is unreachable after a while', async () => {
    let asked = 0;
    const hangs = () => {
      asked += 1;
      return new Promise(() => {});
    };
    const meter = createMeter();
    const clock = { ...testClock, sleep: async () => {} };
    const notReady = createReadiness({
      figures: () => meter.figures(),
      waits: () => [],
      meter,
      clock,
      ask: { kafka: hangs, fabric: yes },
    });
    expect(await notReady()).toEqual(['kafka is unreachable']);
    await notReady();
    expect(asked).toBe(1);
  });

  test('an answer is asked for anew when it is no longer fresh', async () => {
    const sides = { fabric: yes };
    const { server, clock } = serve({ kafka: yes, fabric: () => sides.fabric() });
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    sides.fabric = no;
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    clock.nowMs += 5_001;
    expect((await server.inject('/readyz')).statusCode).toBe(503);
  });

  test('a side that answers but is waited for makes it not ready, until it does its work', async () => {
    const { meter, server, outage } = serve({ kafka: yes, fabric: yes });
    const waiter = outage.waiter();
    waiter.failed('fabric', new ShuttleError('SUBMIT_UNKNOWN', 'No leader.'));
    const answer = await server.inject('/readyz');
    expect([answer.statusCode, answer.json()]).toEqual([
      503,
      { status: 'not ready', reasons: ['fabric is waited for: SUBMIT_UNKNOWN'] },
    ]);
    expect(meter.figures().reachable.fabric).toBe(false);
    waiter.answered('fabric');
    expect((await server.inject('/readyz')).statusCode).toBe(200);
  });

  test('a partition that stopped with a code makes it not ready; a passing error does not', async () => {
    const { meter, server } = serve({ kafka: yes, fabric: yes });
    meter.failed('KAFKA_UNREACHABLE');
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    const at = { topic: 't', partition: 1 };
    meter.partitionStopped(at, 'SOURCE_TRUNCATED');
    const answer = await server.inject('/readyz');
    expect(answer.json()).toEqual({
      status: 'not ready',
      reasons: ['t/1 has stopped with SOURCE_TRUNCATED'],
    });
    meter.partitionReleased(at);
    expect((await server.inject('/readyz')).statusCode).toBe(200);
  });
});

describe('metrics', () => {
  test('every figure that the pipelines report can be scraped', async () => {
    const { meter, server } = serve({ kafka: yes, fabric: yes });
    const at = { topic: 't', partition: 1 };
    meter.recordsRead(at, 10);
    meter.recordsFinished(at, 7, 2, 1);
    meter.batchCommitted(at, 3, 9, 250);
    meter.recordsCleaned(at, 6, 8, 1);
    meter.inFlight(4);
    meter.buffered(5, 600);
    meter.position(at, 10n, 25n);
    meter.partitionStopped({ topic: 't', partition: 2 }, 'GAP');
    meter.blockPublished(8n, 2, 20);
    meter.failed('GAP');
    meter.reachable('kafka', true);
    const answer = await server.inject('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain');
    // What the process uses is another figure each time.
    const ours = answer.body.split(/\n(?=# HELP (?:process|nodejs)_)/)[0];
    expect(ours).toMatchSnapshot();
    expect(meter.figures()).toEqual({
      recordsRead: 10,
      applied: 7,
      rejected: 2,
      repeated: 1,
      batches: 1,
      cleaned: 6,
      documents: 8,
      refused: 1,
      inFlight: 4,
      bufferedRecords: 5,
      bufferedBytes: 600,
      blocks: 1,
      transactions: 2,
      recordsPublished: 20,
      lastBlock: 8n,
      partitions: [{ topic: 't', partition: 1, lag: 15n }],
      errors: { GAP: 1 },
      stops: [{ topic: 't', partition: 2, code: 'GAP' }],
      reachable: { kafka: true, fabric: null },
    });
  });

  test('two meters in one process do not mix', async () => {
    const [one, other] = [createMeter(), createMeter()];
    one.inFlight(3);
    expect(await other.metrics()).toContain('shuttle_transactions_in_flight 0');
  });
});
