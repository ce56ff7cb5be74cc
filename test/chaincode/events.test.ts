/** EPCIS events on the ledger: their index, what is refused, and the questions about them. */
import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { history, item, recall, trace } from '../../chaincode/src/epcis/questions.ts';
import { BATCH_BYTES_MAX, decodeReceipt } from '../../chaincode/src/wire.ts';
import { ASKED, MemoryEventStore } from '../support/event-store.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { StubNetwork } from '../support/stub-network.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const GTIN = 'https://id.gs1.org/01/09506000134352';
const LOT = `${GTIN}/10/L1`;
const serial = (n: number): string => `${GTIN}/21/${n}`;
const CASE = 'https://id.gs1.org/00/095060001343520018';

type Members = Record<string, unknown>;

const observed = (minute: number, epcList: readonly string[], more: Members = {}): Members => ({
  type: 'ObjectEvent',
  action: 'OBSERVE',
  eventTime: at(minute),
  epcList,
  ...more,
});
const packed = (minute: number, childEPCs: readonly string[], more: Members = {}): Members => ({
  type: 'AggregationEvent',
  action: 'ADD',
  eventTime: at(minute),
  parentID: CASE,
  childEPCs,
  ...more,
});

let network: StubNetwork;
let next: number;

beforeEach(async () => {
  network = new StubNetwork([ShuttleContract]);
  await network.submit(openCall());
  next = 0;
});

/** Submits one batch; the values are JSON, null deletes. */
async function submit(events: readonly (readonly [string, unknown])[]) {
  const records = events.map(([key, value], n) =>
    record(next + n, key, value === null ? null : JSON.stringify(value)),
  );
  const answer = await network.submit(batchCall(next - 1, records));
  next += answer.isOk ? events.length : 0;
  return answer;
}

async function ask(fn: string, ...args: readonly string[]) {
  const { text, isOk } = await network.evaluate({ fn, args });
  return isOk ? (JSON.parse(text) as Members) : { refused: text };
}

const indexKeys = (): string[] =>
  network.ledger.range('\0epc\0', '\0epc\u0001').map(({ key }) => key.replaceAll('\0', '~'));

describe('the index of events', () => {
  test('has an entry for each thing that an event names, its lots included', async () => {
    const lots = { _qualifiers: { [serial(1)]: { 10: 'L1' } } };
    await submit([['event/a', observed(1, [serial(1), 'urn:x:1'], lots)]]);
    expect(indexKeys()).toEqual([
      `~epc~01~09506000134352~10~L1~${at(1)}~object~event/a~`,
      `~epc~01~09506000134352~21~1~${at(1)}~object~event/a~`,
      `~epc~uri~urn:x:1~-~-~${at(1)}~object~event/a~`,
    ]);
  });

  test('is written blindly: a batch of events reads what every batch reads', async () => {
    const plain = await submit([['plain', 1]]);
    const { endorsement } = await submit([['event/a', observed(1, [serial(1)])]]);
    expect([...endorsement.reads.keys()]).toEqual([...plain.endorsement.reads.keys()]);
  });

  test('is written by setData too', async () => {
    const args = ['event/a', JSON.stringify(observed(1, [serial(1)]))];
    await network.submit({ fn: 'setData', args });
    expect(indexKeys()).toHaveLength(1);
  });

  test('of a batch is that of the last version of each document', async () => {
    await submit([
      ['event/a', observed(1, [serial(1)])],
      ['event/a', observed(1, [serial(2)])],
      ['event/b', observed(1, [serial(3)])],
      ['event/b', null],
    ]);
    expect(indexKeys()).toEqual([`~epc~01~09506000134352~21~2~${at(1)}~object~event/a~`]);
  });

  test('is of no document under another key', async () => {
    await submit([
      ['events/a', observed(1, [serial(1)])],
      ['event', 'text'],
    ]);
    expect(indexKeys()).toEqual([]);
  });

  test('counts as a part of its batch', async () => {
    const ids = Array.from({ length: 9_000 }, (_, n) => serial(n));
    const some = [...Array(4).keys()].map((n) => [`event/${n}`, observed(1, ids)] as const);
    const { text } = await submit(some);
    expect(text).toMatch(/BATCH_INVALID: The records and their index take more than/);
    expect(some.reduce((sum, [, event]) => sum + JSON.stringify(event).length, 0)).toBeLessThan(
      BATCH_BYTES_MAX / 2,
    );
  });
});

describe('what is no event', () => {
  test('is refused with a sentence, and its batch goes on', async () => {
    const { text } = await submit([
      ['event/a', { type: 'ObjectEvent', eventTime: 'yesterday' }],
      ['event/b', [1]],
      ['event/c', observed(1, [serial(1)])],
      ['event/d', observed(1, [`${'x'.repeat(600)}`])],
    ]);
    const { applied, rejections } = decodeReceipt(text);
    expect(applied).toBe(1);
    expect(rejections.map(({ offset, code, rule }) => [offset, code, rule])).toEqual([
      [
        0n,
        'RULE_REFUSED',
        { name: 'EVENT_INVALID', sentence: '"eventTime" is no instant with a time zone.' },
      ],
      [1n, 'RULE_REFUSED', { name: 'EVENT_INVALID', sentence: 'An event is a JSON object.' }],
      [3n, 'RULE_REFUSED', expect.objectContaining({ name: 'EVENT_INVALID' })],
    ]);
  });

  test('is refused by setData in the same words', async () => {
    const { text, isOk } = await network.submit({ fn: 'setData', args: ['event/a', '{}'] });
    expect(isOk).toBe(false);
    expect(text).toContain('RULE_REFUSED: EVENT_INVALID: "type" is missing.');
  });
});

describe('questions about events', () => {
  const EVENTS: readonly (readonly [string, Members | null])[] = [
    ...Array.from(
      { length: 12 },
      (_, n) =>
        [
          `event/a${n}`,
          observed(n, [serial(n)], { _qualifiers: { [serial(n)]: { 10: 'L1' } } }),
        ] as const,
    ),
    ['event/pack', packed(20, [serial(1), serial(2), serial(3)])],
    ['event/out', packed(25, [serial(3)], { action: 'DELETE' })],
    ['event/ship', observed(30, [CASE], { readPoint: { id: 'dock' }, bizStep: 'shipping' })],
    ['event/wrong', packed(31, [serial(4)], { errorDeclaration: { declarationTime: at(40) } })],
    ['event/gone', packed(32, [serial(5)])],
    ['event/gone', null],
    [
      'event/made',
      {
        type: 'TransformationEvent',
        eventTime: at(50),
        inputEPCList: [CASE],
        outputEPCList: ['urn:x:soup'],
        transformationID: 'urn:x:cooking',
      },
    ],
  ];

  let store: MemoryEventStore;

  beforeEach(async () => {
    store = new MemoryEventStore();
    for (const [key, value] of EVENTS) {
      await submit([[key, value]]);
      store.put(key, value);
    }
  });

  const answered = ({ cursor, ...answer }: { cursor: string }) => ({ ...answer, bookmark: cursor });

  test('are answered as any other store of the events answers them', async () => {
    for (const id of [serial(1), serial(3), serial(5), LOT, CASE, 'urn:x:soup', 'unknown']) {
      for (const asOf of ['', at(22)]) {
        const asked = { ...ASKED, asOf: asOf || null };
        expect(await ask('getEvents', id, asOf, '1000', '')).toEqual(
          answered(await history(store, id, asked)),
        );
        expect(await ask('item', id, asOf, '1000', '')).toEqual(
          answered(await item(store, id, asked)),
        );
        expect(await ask('recall', id, asOf, '1000', '')).toEqual(
          answered(await recall(store, id, asked)),
        );
        for (const direction of ['up', 'down'] as const) {
          expect(await ask('trace', id, direction, '9', asOf, '1000', '')).toEqual(
            answered(await trace(store, id, direction, { ...asked, depthMax: 9 })),
          );
        }
      }
    }
  });

  test('about a product begin with all its lots and serials', async () => {
    const whole = await recall(store, GTIN, ASKED);
    expect(whole.rows).toHaveLength(1 + 12 + 2);
    expect(await ask('recall', GTIN, '', '1000', '')).toEqual(answered(whole));
  });

  test('are answered in pages that are together the whole answer', async () => {
    const whole = await recall(store, GTIN, ASKED);
    const rows: unknown[] = [];
    let bookmark = '';
    do {
      const page = await ask('recall', GTIN, '', '2', bookmark);
      rows.push(...(page.rows as unknown[]));
      bookmark = page.bookmark as string;
    } while (bookmark !== '');
    expect(rows).toEqual(whole.rows);
  });

  test('that make no sense are refused', async () => {
    const invalid = { refused: expect.stringContaining('ARGUMENT_INVALID') };
    expect(await ask('item', '', '', '10', '')).toEqual(invalid);
    expect(await ask('item', 'x'.repeat(513), '', '10', '')).toEqual(invalid);
    expect(await ask('item', 'a\0b', '', '10', '')).toEqual(invalid);
    expect(await ask('item', 'x', 'yesterday', '10', '')).toEqual(invalid);
    expect(await ask('item', 'x', '', '0', '')).toEqual(invalid);
    expect(await ask('trace', 'x', 'left', '1', '', '10', '')).toEqual(invalid);
    expect(await ask('recall', 'x', '', '10', 'nonsense')).toEqual(invalid);
  });
});
