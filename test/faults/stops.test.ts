/**
 * Faults that do not pass by waiting. The partition or channel that has one stops with its code,
 * and says so in log and readiness; what else the process does goes on.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodePartitionState } from '@shuttle/chaincode/ledger';
import {
  encodeHeader,
  encodeRecords,
  laneOf,
  layoutDigest,
  sha256Hex,
} from '@shuttle/chaincode/wire';
import type { Admin } from 'kafkajs';
import { killLeftovers, runShuttle, type Settings } from '../support/cli.ts';
import { createWorld, MINUTE_MS, type World } from '../support/e2e-world.ts';
import { COMMITTED, Flow, PUBLISHED } from '../support/flow.ts';
import { readTopic } from '../support/independent.ts';
import { type Issued, issueIdentity } from '../support/issued-identity.ts';
import { eventually } from '../support/records.ts';

const STOPPED = 'stopped a partition';
const RECORDS = 200;

let world: World;
/** The channel knows from its first block on that it is revoked. */
let revoked: Issued;

beforeAll(async () => {
  world = await createWorld(17_650, {}, async (organizations) => {
    const organization = join(organizations, 'peerOrganizations', 'org1.example.com');
    const user = join(organization, 'users', 'User1@org1.example.com', 'msp');
    revoked = await issueIdentity(user, new Date(Date.now() + 24 * 60 * MINUTE_MS));
    await mkdir(join(organization, 'msp', 'crls'));
    await writeFile(join(organization, 'msp', 'crls', 'crl.pem'), revoked.revocation);
  });
}, 10 * MINUTE_MS);

afterAll(async () => {
  killLeftovers();
  await world?.close();
}, 2 * MINUTE_MS);

async function asAdmin(work: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = world.kafka.admin();
  await admin.connect();
  await work(admin);
  await admin.disconnect();
}

/** Deletes a topic, waits until the broker has forgotten it, and creates it with other records. */
async function replace(topic: string, records: number): Promise<void> {
  await asAdmin(async (admin) => {
    await admin.deleteTopics({ topics: [topic] });
    await eventually('the topic to be gone', async () => {
      return !(await admin.listTopics()).includes(topic);
    });
  });
  const other = new Flow(world, topic, {}, 100);
  await other.createTopic(1);
  await other.produceTo(records);
}

const deleteRecords = (topic: string, offset: number): Promise<void> =>
  asAdmin(async (admin) => {
    // kafkajs only deletes in topics of which it has asked something before.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: 0, offset: String(offset) }],
    });
  });

interface Case {
  readonly code: string;
  readonly what: string;
  /** Of the first run, in which all is well. */
  readonly settings?: Settings;
  readonly harm: (broken: Flow) => Promise<void>;
}

const only = ({ topic }: Flow): Settings => ({ SHUTTLE_INGEST__TOPICS: topic });

const CASES: readonly Case[] = [
  {
    code: 'SOURCE_REPLACED',
    what: 'a topic that was deleted and created again with other records',
    harm: ({ topic }) => replace(topic, RECORDS),
  },
  {
    code: 'SOURCE_REWOUND',
    what: 'a topic that was deleted and created again with fewer records',
    harm: ({ topic }) => replace(topic, 5),
  },
  {
    code: 'SOURCE_TRUNCATED',
    what: 'a topic that has lost records before they were read',
    harm: async (broken) => {
      await broken.produceTo(RECORDS);
      await deleteRecords(broken.topic, RECORDS - 10);
    },
  },
  {
    code: 'LAYOUT_MISMATCH',
    what: 'a topic that is laid out in other lanes than configured',
    settings: { SHUTTLE_INGEST__LANES: '4' },
    harm: async () => {},
  },
];

describe('a partition stops with its code, and another one goes on:', () => {
  it.each(CASES)(
    '$code, $what',
    async ({ code, settings = {}, harm }) => {
      const slug = code.toLowerCase().replace('_', '-');
      const broken = new Flow(world, `${slug}-broken`, settings);
      const topics = { SHUTTLE_INGEST__TOPICS: `${slug}-broken,${slug}-whole` };
      const whole = new Flow(world, `${slug}-whole`, topics);
      await broken.createTopic(1);
      await whole.createTopic(1);
      await broken.produceTo(RECORDS / 2);
      await whole.produceTo(RECORDS / 2);
      const group = { SHUTTLE_INGEST__GROUP_ID: whole.groupId };
      for (const before of [broken.settings, { ...whole.settings, ...only(whole) }]) {
        const all = { ...before, ...group };
        const first = await runShuttle(['ingest', '--until-end'], all, world.dir);
        expect([first.code, first.stderr.slice(-2_000)]).toEqual([0, expect.anything()]);
      }
      await harm(broken);

      whole.start();
      await whole.until(STOPPED, 1);
      await whole.produceTo(RECORDS);
      await whole.drained();
      await eventually('readiness to say so', async () => {
        const { status, reasons } = (await whole.ready()) ?? { status: 0, reasons: [] };
        return status === 503 && reasons.join() === `${broken.topic}/0 has stopped with ${code}`;
      });
      const stops = whole.lines().filter(({ msg }) => msg === STOPPED);
      expect(stops).toEqual([
        expect.objectContaining({ level: 'error', topic: broken.topic, partition: 0, code }),
      ]);
      await whole.expectComplete(5);
    },
    3 * MINUTE_MS,
  );
});

/** What any client of the organisation can do: a batch of a record that it has made up. */
async function moveWatermark(stream: string, topic: string, offset: bigint): Promise<void> {
  const { contract } = world.ledger;
  const bytes = await contract.evaluateTransaction('getWatermarks', stream, topic, '0');
  const { layout, watermarks } = decodePartitionState(Buffer.from(bytes).toString());
  if (layout === null) {
    throw new Error(`${topic} is not open.`);
  }
  const key = Buffer.from(`${topic}/made-up`);
  const lane = laneOf(key, layout.lanes);
  const after = watermarks[lane]?.offset ?? -1n;
  const records = encodeRecords([{ offset, timestamp: 1, key, value: Buffer.from('{}') }]);
  const at = { stream, topic, partition: 0, lane, layout: layoutDigest(layout) };
  const range = { after, first: offset, last: offset, count: 1, digest: sha256Hex(records) };
  await contract.submit('submitBatch', {
    arguments: [encodeHeader({ ...at, ...range })],
    transientData: { records },
    endorsingOrganizations: ['Org1MSP', 'Org2MSP'],
  });
}

describe("a client of one's own organisation that moves a watermark", () => {
  it.each([
    ['SOURCE_REPLACED', 'to a record that the source has otherwise', BigInt(RECORDS + 20)],
    ['SOURCE_REWOUND', 'beyond the end of the source', 1_000_000n],
  ])(
    'is noticed by the bridge that runs, %s, %s',
    async (code, _, offset) => {
      const stream = 'cluster';
      const topic = `rogue-${code.toLowerCase()}`;
      const flow = new Flow(world, topic, { SHUTTLE_INGEST__STREAM: stream });
      await flow.createTopic(1);
      await flow.produceTo(RECORDS);
      flow.start();
      await flow.drained();
      await moveWatermark(stream, topic, offset);
      await flow.produceTo(2 * RECORDS);
      await flow.until(STOPPED, 1);
      const stops = flow.lines().filter(({ msg }) => msg === STOPPED);
      expect(stops).toEqual([expect.objectContaining({ level: 'error', topic, code })]);
      expect(stops[0]?.err).toMatch(/transaction [0-9a-f]{64}/);
      // Nothing that it passed over was acked.
      expect((await flow.bridge.stop()).code).toBe(5);
      const again = await runShuttle(['ingest', '--until-end'], flow.settings, world.dir);
      expect([again.code, again.stderr]).toEqual([5, expect.stringContaining(code)]);
      const args = ['reconcile', '--source', topic, '--json'];
      const compared = await runShuttle(args, flow.settings, world.dir);
      expect([compared.code, compared.stdout]).toEqual([
        1,
        expect.stringMatching(/RECORD_(MISSING|UNKNOWN)/),
      ]);
    },
    3 * MINUTE_MS,
  );
});

describe('an identity that is no longer accepted', () => {
  it(
    'stops what it is used for instead of being tried for ever; a new one goes on',
    async () => {
      const { userMspDir } = world.network.description.peers[0];
      const until = new Date(Date.now() + 30_000);
      const { mspDir } = await issueIdentity(userMspDir, until);
      const flow = new Flow(world, 'expired', { SHUTTLE_FABRIC__IDENTITY__MSP: mspDir });
      await flow.createTopic(2);
      await flow.produceTo(RECORDS);
      flow.start();
      await flow.until(COMMITTED, 2);
      await flow.until(PUBLISHED, 1);
      await eventually('the certificate to expire', () => Date.now() > until.getTime());
      await flow.produceTo(2 * RECORDS);
      const { code, stderr } = await flow.bridge.ended;
      expect([code, stderr.slice(-2_000)]).toEqual([4, expect.stringContaining('ACCESS_DENIED')]);

      const again = await runShuttle(['status'], flow.settings, world.dir);
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('expired on')]);
      const renewed = new Flow(world, 'expired');
      renewed.start();
      await renewed.drained();
      await renewed.expectComplete();
    },
    5 * MINUTE_MS,
  );
});

describe('an identity that is revoked', () => {
  it(
    'stops what it is used for instead of being tried for ever',
    async () => {
      const settings = { SHUTTLE_FABRIC__IDENTITY__MSP: revoked.mspDir };
      const flow = new Flow(world, 'revoked', settings);
      await flow.createTopic(2);
      await flow.produceTo(RECORDS);
      flow.start();
      const { code, stderr } = await flow.bridge.ended;
      expect([code, stderr.slice(-2_000)]).toEqual([4, expect.stringContaining('ACCESS_DENIED')]);
    },
    2 * MINUTE_MS,
  );
});

describe('a chaincode that is not committed', () => {
  it(
    'stops the partitions and ends the run',
    async () => {
      const flow = new Flow(world, 'no-chaincode', { SHUTTLE_FABRIC__CHAINCODE: 'nothing' });
      await flow.createTopic(2);
      await flow.produceTo(RECORDS);
      flow.start();
      const { code, stderr } = await flow.bridge.ended;
      expect([code, stderr.slice(-2_000)]).toEqual([
        4,
        expect.stringContaining('CHAINCODE_MISSING'),
      ]);
    },
    2 * MINUTE_MS,
  );
});

describe('a channel is not published any more', () => {
  const publish = async (prefix: string): Promise<[number | null, string]> => {
    const settings = { ...world.settings, SHUTTLE_PUBLISH__PREFIX: prefix };
    const { code, stderr } = await runShuttle(['publish', '--until-end'], settings, world.dir);
    return [code, stderr];
  };

  it(
    'BLOCKS_TRUNCATED, when its topic has lost its first blocks',
    async () => {
      expect(await publish('cut')).toEqual([0, expect.anything()]);
      await deleteRecords('cut.mychannel.blocks', 2);
      expect(await publish('cut')).toEqual([5, expect.stringContaining('BLOCKS_TRUNCATED')]);
    },
    2 * MINUTE_MS,
  );

  it(
    'FORKED, when its topic holds another chain',
    async () => {
      const [genesis] = await readTopic(world.kafka, 'shuttle.mychannel.blocks');
      const producer = world.kafka.producer();
      await producer.connect();
      const { key, value, headers } = genesis ?? { key: null, value: null, headers: {} };
      const other = Object.entries(headers).map(([name, text]) => [
        name,
        /^[0-9a-f]{64}$/.test(text) ? text.replace(/^./, (c) => (c === '0' ? '1' : '0')) : text,
      ]);
      await asAdmin((admin) =>
        admin.createTopics({
          topics: [
            {
              topic: 'fork.mychannel.blocks',
              numPartitions: 1,
              configEntries: [
                { name: 'retention.ms', value: '-1' },
                { name: 'retention.bytes', value: '-1' },
                { name: 'max.message.bytes', value: String(12 * 1024 * 1024) },
              ],
            },
          ],
        }),
      );
      await producer.send({
        topic: 'fork.mychannel.blocks',
        messages: [{ key, value, headers: Object.fromEntries(other) as Record<string, string> }],
      });
      await producer.disconnect();
      expect(await publish('fork')).toEqual([5, expect.stringContaining('FORKED')]);
    },
    2 * MINUTE_MS,
  );
});
