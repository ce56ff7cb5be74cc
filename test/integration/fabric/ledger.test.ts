/** The Ledger port on a real peer: what its contract says, held against what the peer does. */
import { readFile } from 'node:fs/promises';
import { common, msp, peer } from '@hyperledger/fabric-protos';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type BatchHeader,
  encodeRecords,
  laneOf,
  layoutDigest,
  sha256Hex,
  type WireRecord,
} from '@shuttle/chaincode/wire';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { readMspIdentity } from '../../../bridge/src/fabric/identity.ts';
import { type ConnectedLedger, createGatewayLedger } from '../../../bridge/src/fabric/ledger.ts';
import { originOf } from '../../../bridge/src/origin/origin.ts';
import type { Ledger } from '../../../bridge/src/ports.ts';
import type { TopicPartition } from '../../../bridge/src/values.ts';
import { createWorld, MINUTE_MS, type World } from '../../support/e2e-world.ts';
import { testClock } from '../../support/fakes.ts';

const PORT_OFFSET = 12_002;
const LANES = 4;

let world: World;
let ledger: ConnectedLedger;

async function connect(organizations: readonly string[] = []): Promise<ConnectedLedger> {
  const { peers, channel } = world.network.description;
  const [own] = peers;
  const { certificate, privateKey } = await readMspIdentity(own.userMspDir, Date.now());
  const options = {
    endpoint: own.endpoint,
    tlsCa: await readFile(own.tlsCaFile),
    mspId: own.mspId,
    certificate,
    privateKey,
    channel,
    chaincode: 'shuttle',
    endorsingOrganizations: organizations,
    timeouts: {
      evaluateMs: 20_000,
      endorseMs: 30_000,
      submitMs: 20_000,
      commitStatusMs: 60_000,
      blockSilenceMs: 5_000,
    },
  };
  return createGatewayLedger(options, testClock);
}

beforeAll(async () => {
  world = await createWorld(PORT_OFFSET);
  ledger = await connect();
}, 10 * MINUTE_MS);

afterAll(async () => {
  await ledger?.close();
  await world?.close();
}, 2 * MINUTE_MS);

const KEY = Buffer.from('item/1');
const LANE = laneOf(KEY, LANES);

/** A batch of records of one key with the offsets given; the value tells the offset. */
function batch(
  topic: string,
  layout: string,
  after: bigint,
  offsets: readonly bigint[],
): [BatchHeader, Uint8Array] {
  const records = offsets.map(
    (offset): WireRecord => ({
      offset,
      timestamp: 1_700_000_000_000,
      key: KEY,
      value: Buffer.from(`{"offset":${offset}}`),
    }),
  );
  const bytes = encodeRecords(records);
  const header = {
    stream: 's',
    topic,
    partition: 0,
    lane: LANE,
    layout,
    after,
    first: offsets[0] ?? 0n,
    last: offsets.at(-1) ?? 0n,
    count: records.length,
    digest: sha256Hex(bytes),
  };
  return [header, bytes];
}

describe('the block of a transaction', () => {
  it(
    'is the one that its commit named, and none for a transaction that never was',
    async () => {
      const { txId, blockNumber } = await ledger.submit('setData', ['looked-for', '1']);
      const deps = {
        chaincode: 'shuttle',
        blockOf: (id: string) => ledger.blockOf(id),
        record: async () => null,
      };
      expect(await originOf(deps, txId)).toMatchObject({
        txId,
        validationCode: 'VALID',
        creatorMspId: 'Org1MSP',
        function: 'setData',
        block: { number: blockNumber },
      });
      const missing = ledger.blockOf('0'.repeat(64));
      await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    },
    MINUTE_MS,
  );
});

describe('a partition', () => {
  const at = { topic: 'opened', partition: 0 };

  it(
    'has no layout before it is opened, and keeps its first one',
    async () => {
      expect(await ledger.getPartition('s', at)).toEqual({
        layout: null,
        watermarks: [],
        older: 0,
      });
      const layout = await ledger.openPartition('s', at, {
        partitions: 2,
        older: 0,
        lanes: LANES,
        keyExpressionDigest: '',
      });
      expect(layout).toMatchObject({
        ...at,
        stream: 's',
        mspId: 'Org1MSP',
        lanes: LANES,
        base: -1n,
      });
      expect(
        await ledger.openPartition('s', at, {
          partitions: 2,
          older: 0,
          lanes: LANES,
          keyExpressionDigest: '',
        }),
      ).toEqual(layout);
      const other = ledger.openPartition('s', at, {
        partitions: 2,
        older: 0,
        lanes: LANES + 1,
        keyExpressionDigest: '',
      });
      await expect(other).rejects.toMatchObject({ code: 'LAYOUT_MISMATCH' });
      const { watermarks } = await ledger.getPartition('s', at);
      expect(watermarks).toEqual(Array.from({ length: LANES }, () => null));
    },
    MINUTE_MS,
  );
});

/** The digest of the layout of a partition that it has opened. */
async function opened(by: Ledger, at: TopicPartition): Promise<string> {
  const opening = { partitions: 2, older: 0, lanes: LANES, keyExpressionDigest: '' };
  return layoutDigest(await by.openPartition('s', at, opening));
}

describe('a batch', () => {
  it.each([
    ['by discovery alone', []],
    ['with both organisations named', ['Org1MSP', 'Org2MSP']],
  ])(
    'is endorsed by both organisations with its transient records, %s',
    async (name, orgs) => {
      const mine = await connect(orgs);
      const topic = `batch ${name}`.replaceAll(' ', '-');
      const at = { topic, partition: 0 };
      const layout = await opened(mine, at);
      const [header, bytes] = batch(topic, layout, -1n, [0n, 2n, 5n]);
      const receipt = await mine.submitBatch(header, bytes);
      expect(receipt).toMatchObject({ offset: 5n, applied: 3, rejections: [] });
      const block = await world.ledger.block(receipt.blockNumber);
      expect(endorsers(block, receipt.txId)).toEqual(['Org1MSP', 'Org2MSP']);
      const { watermarks } = await mine.getPartition('s', at);
      expect(watermarks[LANE]).toMatchObject({ offset: 5n, txId: receipt.txId });
      await mine.close();
    },
    MINUTE_MS,
  );

  it(
    'that is sent again is REPEATED, whole or in part, one beyond the watermark is a GAP',
    async () => {
      const at = { topic: 'again', partition: 0 };
      const layout = await opened(ledger, at);
      const first = batch(at.topic, layout, -1n, [0n, 1n]);
      await ledger.submitBatch(...first);
      await expect(ledger.submitBatch(...first)).rejects.toMatchObject({ code: 'REPEATED' });
      const gap = ledger.submitBatch(...batch(at.topic, layout, 7n, [8n]));
      await expect(gap).rejects.toMatchObject({ code: 'GAP' });
      const overlap = ledger.submitBatch(...batch(at.topic, layout, -1n, [1n, 2n]));
      await expect(overlap).rejects.toMatchObject({ code: 'REPEATED' });
    },
    MINUTE_MS,
  );

  it(
    'of two that read one watermark, the second is committed as invalid',
    async () => {
      const at = { topic: 'twins', partition: 0 };
      const layout = await opened(ledger, at);
      const outcomes = await Promise.allSettled(
        [[0n], [0n, 1n]].map((offsets) =>
          ledger.submitBatch(...batch(at.topic, layout, -1n, offsets)),
        ),
      );
      const codes = outcomes.map((o) => (o.status === 'fulfilled' ? 'committed' : o.reason.code));
      expect(codes).toContain('committed');
      // The slower one lost in its block, or met a peer that had the faster one already.
      const other = codes.find((code) => code !== 'committed') ?? 'committed';
      expect(['COMMIT_INVALID', 'REPEATED', 'ENDORSE_FAILED', 'committed']).toContain(other);
      const versions = await world.ledger.history('item/1');
      const mine = versions.filter((v) => v.document === '{"offset":0}').length;
      const topics = 4; // discovery, named, again, twins: each wrote offset 0 once
      expect(mine).toBe(topics);
    },
    MINUTE_MS,
  );
});

/** The organisations that endorsed a transaction, by the envelope in its block. */
function endorsers(block: common.Block, txId: string): string[] {
  const entries = block.getData()?.getDataList_asU8() ?? [];
  const entry = entries.find((each) => Buffer.from(each).includes(txId)) ?? new Uint8Array();
  const envelope = common.Envelope.deserializeBinary(entry);
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const [action] = peer.Transaction.deserializeBinary(payload.getData_asU8()).getActionsList();
  const bytes = action?.getPayload_asU8() ?? new Uint8Array();
  const endorsements = peer.ChaincodeActionPayload.deserializeBinary(bytes)
    .getAction()
    ?.getEndorsementsList();
  return (endorsements ?? [])
    .map((each) => msp.SerializedIdentity.deserializeBinary(each.getEndorser_asU8()).getMspid())
    .sort();
}

describe('the block stream', () => {
  it(
    'gives the exact bytes of every block, in order, from any block on',
    async () => {
      const height = await ledger.height();
      const stop = new AbortController();
      let number = 1n;
      for await (const bytes of ledger.blocks(1n, stop.signal)) {
        const theirs = Buffer.from((await world.ledger.block(number)).serializeBinary());
        expect(Buffer.from(bytes).equals(theirs)).toBe(true);
        number += 1n;
        if (number === height) {
          stop.abort();
        }
      }
      expect(number).toBe(height);
    },
    MINUTE_MS,
  );

  it(
    'waits for blocks that are to come, and ends with the signal',
    async () => {
      const height = await ledger.height();
      const stop = new AbortController();
      const seen: bigint[] = [];
      const reading = (async () => {
        for await (const bytes of ledger.blocks(height, stop.signal)) {
          seen.push(decodeBlock(bytes).header.number);
          stop.abort();
        }
      })();
      const { blockNumber } = await ledger.submit('setData', ['stream', '1']);
      await reading;
      expect(seen).toEqual([blockNumber]);
    },
    MINUTE_MS,
  );

  it(
    'says that it was cut when the peer dies',
    async () => {
      const height = await ledger.height();
      const reading = (async () => {
        for await (const _ of ledger.blocks(height - 1n, new AbortController().signal)) {
          await world.network.kill('peer0.org1');
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: 'FABRIC_UNREACHABLE' });
      await expect(ledger.height()).rejects.toMatchObject({ code: 'FABRIC_UNREACHABLE' });
      await world.network.start('peer0.org1');
    },
    2 * MINUTE_MS,
  );
});
