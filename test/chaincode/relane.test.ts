import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { decodeLayout, decodePartitionState } from '../../chaincode/src/ledger.ts';
import { decodeReceipt, type LayoutSpec, laneOf } from '../../chaincode/src/wire.ts';
import { batchCall, LAYOUT, openCall, record } from '../support/stub-batches.ts';
import { type Call, StubNetwork } from '../support/stub-network.ts';

let network: StubNetwork;

const TWO: LayoutSpec = { ...LAYOUT, lanes: 2 };
const keyOn = (lane: number): string =>
  ['a', 'b', 'c', 'd', 'e'].find((key) => laneOf(Buffer.from(key), 2) === lane) as string;
const [left, right] = [keyOn(0), keyOn(1)];

beforeEach(async () => {
  network = new StubNetwork([ShuttleContract]);
  await network.submit(openCall(TWO));
  await network.submit(batchCall(-1, [record(3, left, '1')], { lane: 0 }, TWO));
  await network.submit(batchCall(-1, [record(4, right, '2')], { lane: 1 }, TWO));
});

function relaneCall(drained: number | string, lanes = 3, mspId = 'Org1MSP', digest = ''): Call {
  return { fn: 'relane', args: ['s', 't', '0', `${drained}`, `${lanes}`, '1', digest], mspId };
}

async function stateOf() {
  const { text } = await network.evaluate({ fn: 'getWatermarks', args: ['s', 't', '0'] });
  return decodePartitionState(text);
}

describe('relane', () => {
  test('cuts a drained partition anew, and remembers where', async () => {
    const { text } = await network.submit(relaneCall(5));
    const { layout, watermarks } = await stateOf();
    expect(decodeLayout(text)).toEqual(layout);
    expect(layout).toMatchObject({ lanes: 3, base: 4n });
    expect(watermarks).toHaveLength(3);
  });

  test('lets nothing that is finished be applied again, and nothing behind be left out', async () => {
    await network.submit(relaneCall(5, 1));
    const next: LayoutSpec = { ...LAYOUT, base: 4n };
    const again = await network.submit(batchCall(-1, [record(3, left, '1')], {}, next));
    expect(again.text).toMatch(/^REPEATED: Lane 0 is finished up to offset 4/);
    const skips = await network.submit(batchCall(5, [record(6, left, '3')], {}, next));
    expect(skips.text).toMatch(/^GAP: /);
    const goesOn = await network.submit(batchCall(4, [record(5, right, '4')], {}, next));
    expect(decodeReceipt(goesOn.text)).toMatchObject({ offset: 5n, applied: 1 });
  });

  test.each([
    ['at a record that a lane has finished', 4],
    ['below it', 1],
    ['at the beginning', 0],
  ])('is refused %s', async (_name, drained) => {
    const answer = await network.submit(relaneCall(drained));
    expect(answer.text).toMatch(/^NOT_DRAINED: Lane [01] is finished up to offset [34], /);
    expect((await stateOf()).layout).toMatchObject({ lanes: 2, base: -1n });
  });

  test('is refused below an earlier one', async () => {
    await network.submit(relaneCall(9));
    const answer = await network.submit(relaneCall(8, 4));
    expect(answer.text).toMatch(/^NOT_DRAINED: Lane 0 is finished up to offset 8, /);
  });

  test('refuses what was cut under the layout before, in flight or later', async () => {
    const straggler = batchCall(3, [record(5, left, '3')], { lane: 0 }, TWO);
    const inFlight = await network.evaluate(straggler);
    const relane = await network.evaluate(relaneCall(5));
    expect(network.commit([relane, inFlight])).toEqual(['VALID', 'MVCC_READ_CONFLICT']);
    expect((await network.submit(straggler)).text).toMatch(/^LAYOUT_MISMATCH: /);
  });

  test('loses against a batch that was ordered first, on any lane', async () => {
    const inFlight = await network.evaluate(
      batchCall(4, [record(5, right, '3')], { lane: 1 }, TWO),
    );
    const relane = await network.evaluate(relaneCall(5));
    expect(network.commit([inFlight, relane])).toEqual(['VALID', 'MVCC_READ_CONFLICT']);
    expect((await network.submit(relaneCall(5))).text).toMatch(/^NOT_DRAINED: Lane 1 /);
    expect((await network.submit(relaneCall(6))).isOk).toBe(true);
  });

  test('of the cut that stands, or repeated after a lost answer, writes nothing', async () => {
    expect((await network.submit(relaneCall(5, 2))).endorsement.writes).toEqual([]);
    const { text } = await network.submit(relaneCall(5));
    const again = await network.submit(relaneCall(5));
    expect([again.text, again.endorsement.writes]).toEqual([text, []]);
  });

  test('there and back does not let a batch of the first layout through', async () => {
    await network.submit(relaneCall(5));
    await network.submit(relaneCall(7, 2));
    const old = await network.submit(
      batchCall(3, [record(5, left, '3'), record(8, left, '4')], { lane: 0 }, TWO),
    );
    expect(old.text).toMatch(/^LAYOUT_MISMATCH: /);
  });

  test('is of one’s own organisation only', async () => {
    const foreign = await network.submit(relaneCall(5, 3, 'Org2MSP'));
    expect(foreign.text).toMatch(/^LAYOUT_MISSING: /);
    expect((await stateOf()).layout).toMatchObject({ lanes: 2 });
  });

  test.each([[-1], ['01'], ['9223372036854775808'], ['x']])(
    'refuses %j as a position',
    async (drained) => {
      expect((await network.submit(relaneCall(drained))).text).toMatch(/^ARGUMENT_INVALID: dra/);
    },
  );

  test('of another key expression counts as another cut', async () => {
    const digest = 'ab'.repeat(32);
    const { text } = await network.submit(relaneCall(5, 2, 'Org1MSP', digest));
    expect(decodeLayout(text)).toMatchObject({ lanes: 2, keyExpressionDigest: digest, base: 4n });
  });
});

describe('partitions that are opened', () => {
  const open = (partition: number, partitions: number, older: number, topic = 't2'): Call => ({
    fn: 'openPartition',
    args: ['s', topic, `${partition}`, `${partitions}`, `${older}`, '1', '1', ''],
  });
  const olderOf = async (partition: number): Promise<number> => {
    const { text } = await network.evaluate({
      fn: 'getWatermarks',
      args: ['s', 't2', `${partition}`],
    });
    return decodePartitionState(text).older;
  };

  test('together with all others of the topic have none older, in whatever order', async () => {
    for (const partition of [2, 0, 1]) {
      expect(await olderOf(partition)).toBe(0);
      expect((await network.submit(open(partition, 3, 0))).isOk).toBe(true);
    }
  });

  test('after the topic has grown have those older that it had before', async () => {
    await network.submit(open(1, 2, 0));
    expect([await olderOf(0), await olderOf(2), await olderOf(3)]).toEqual([0, 2, 2]);
    expect((await network.submit(open(3, 4, 0))).text).toBe(
      'OLDER_PARTITIONS: 2 partitions are older than partition 3, not 0.',
    );
    expect((await network.submit(open(3, 4, 2))).isOk).toBe(true);
    expect((await network.submit(open(6, 8, 4))).isOk).toBe(true);
    expect([await olderOf(0), await olderOf(2), await olderOf(5)]).toEqual([0, 2, 4]);
  });

  test('by one who sees an old ledger do not pass the one who sees it grown', async () => {
    const first = await network.evaluate(open(0, 2, 0));
    const stale = await network.evaluate(open(2, 4, 0));
    expect(network.commit([first, stale])).toEqual(['VALID', 'MVCC_READ_CONFLICT']);
    expect((await network.submit(open(2, 4, 0))).text).toMatch(/^OLDER_PARTITIONS: /);
  });

  test('of other topics do not count', async () => {
    await network.submit(open(0, 1, 0, 'other'));
    expect((await network.submit(open(1, 2, 0))).isOk).toBe(true);
  });
});
