/** Records that flow from a topic of their own through one bridge, which is watched all the time. */
import { expect } from '@jest/globals';
import { type Running, runShuttle, type Settings, startShuttle } from './cli.ts';
import { findDifferences } from './differences.ts';
import { createTopic, MINUTE_MS, produceAll, type World } from './e2e-world.ts';
import { eventually, message } from './records.ts';

export const COMMITTED = 'committed a batch';
export const PUBLISHED = 'published a block';

/** A line of the bridge's log. */
export interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** What /readyz has answered. */
export interface Ready {
  readonly status: number;
  readonly reasons: readonly string[];
}

export class Flow {
  readonly topic: string;
  readonly groupId: string;
  readonly settings: Settings;
  private readonly world: World;
  private running: Running | null = null;
  private readonly payBytes: number;
  private produced = 0;

  constructor(world: World, topic: string, settings: Settings = {}, payBytes = 0) {
    this.world = world;
    this.payBytes = payBytes;
    this.topic = topic;
    this.groupId = `group-${topic}`;
    this.settings = {
      ...world.settings,
      SHUTTLE_INGEST__TOPICS: topic,
      SHUTTLE_INGEST__GROUP_ID: this.groupId,
      // Small batches, so that whatever happens is in the middle of many.
      SHUTTLE_INGEST__BATCH_RECORDS: '50',
      SHUTTLE_INGEST__ACK_INTERVAL_MS: '200',
      SHUTTLE_COMMAND__DEADLINE_MS: String(3 * MINUTE_MS),
      ...settings,
    };
  }

  async createTopic(partitions: number): Promise<void> {
    await createTopic(this.world.kafka, this.topic, partitions);
  }

  /** Produces up to so many records in all. */
  async produceTo(count: number): Promise<void> {
    const from = this.produced;
    this.produced = count;
    const numbers = Array.from({ length: count - from }, (_, n) => from + n);
    const messages = numbers.map((n) => message(this.topic, n, this.payBytes));
    await produceAll(this.world.kafka, this.topic, messages);
  }

  start(): void {
    const settings = { ...this.settings, SHUTTLE_HTTP__PORT: '0' };
    this.running = startShuttle(['run'], settings, this.world.dir);
  }

  get bridge(): Running {
    if (this.running === null) {
      throw new Error('The bridge was not started.');
    }
    return this.running;
  }

  lines(): readonly Line[] {
    return this.bridge
      .log()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? JSON.parse(line) : []));
  }

  count(part: string): number {
    return this.bridge.log().split(`"${part}"`).length - 1;
  }

  /** Resolves when the log holds so many of them; rejects when the bridge ends. */
  async until(part: string, count: number): Promise<void> {
    await this.bridge.waitFor(() => this.count(part) >= count);
  }

  /** Null while nobody serves it. */
  async ready(): Promise<Ready | null> {
    const page = await this.http('/readyz');
    const { reasons = [] } = page === null ? {} : ((await page.json()) as Partial<Ready>);
    return page === null ? null : { status: page.status, reasons };
  }

  /** A figure of /metrics; NaN when it is not there. */
  async figure(name: string): Promise<number> {
    const page = await this.http('/metrics');
    const text = page === null ? '' : await page.text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  private async http(path: string): Promise<Response | null> {
    const [, address] = /Health and metrics at (\S+)/.exec(this.bridge.log()) ?? [];
    return address === undefined ? null : await fetch(`${address}${path}`).catch(() => null);
  }

  /** Group offsets reach the ends only when everything before them is finished. */
  async drained(): Promise<void> {
    const admin = this.world.kafka.admin();
    await admin.connect();
    const { topic, groupId } = this;
    try {
      await eventually(`the group to reach the ends of ${topic}`, async () => {
        const ends = await admin.fetchTopicOffsets(topic);
        const [acks] = await admin.fetchOffsets({ groupId, topics: [topic] });
        return ends.every(({ partition, high }) => {
          const ack = acks?.partitions.find((each) => each.partition === partition);
          return Number(ack?.offset ?? -1) >= Number(high);
        });
      });
    } finally {
      await admin.disconnect();
    }
  }

  /** A producer that was interrupted may have sent some twice: they are records like others. */
  private async recordsOnTopic(): Promise<number> {
    const admin = this.world.kafka.admin();
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(this.topic);
    await admin.disconnect();
    const count = ends.reduce((sum, { high }) => sum + Number(high), 0);
    expect(count).toBeGreaterThanOrEqual(this.produced);
    return count;
  }

  /** Ends the bridge, which must not have ended before, and compares everything. */
  async expectComplete(exit = 0): Promise<void> {
    const { world, topic, settings } = this;
    expect(this.bridge.process.exitCode).toBeNull();
    const { code, stderr } = await this.bridge.stop();
    expect([code, stderr.slice(-2_000)]).toEqual([exit, expect.anything()]);
    const last = await runShuttle(['publish', '--until-end'], settings, world.dir);
    expect([last.code, last.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
    const produced = await this.recordsOnTopic();
    const differences = await findDifferences(world, topic, produced);
    const args = ['reconcile', '--source', topic, '--complete', '--json'];
    const compared = await runShuttle(args, settings, world.dir);
    const found = [differences, compared.code, compared.stdout, compared.stderr];
    expect(found).toEqual([[], 0, expect.stringContaining('"findingCount":0'), '']);
    expect(JSON.parse(compared.stdout)).toMatchObject({ recordsRead: produced, pending: 0 });
  }
}
