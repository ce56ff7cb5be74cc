/** Batches of events are cut so that their index fits beside them. */
import { describe, expect, test } from '@jest/globals';
import { itemBytes, LaneQueue } from '../../../bridge/src/batch/queue.ts';
import { eventIndex } from '../../../chaincode/src/epcis/index-keys.ts';
import { indexBytes } from '../../../chaincode/src/index-keys.ts';
import { recordBytes } from '../../../chaincode/src/wire.ts';

const epcList = Array.from(
  { length: 50 },
  (_, n) => `https://id.gs1.org/01/09506000134352/21/${n}`,
);
const value = Buffer.from(
  JSON.stringify({ type: 'ObjectEvent', eventTime: '2026-01-01T00:00:00Z', epcList }),
);

function itemOf(offset: number, keyText: string) {
  const key = Buffer.from(keyText);
  const record = { offset: BigInt(offset), timestamp: 1, key, value, headers: [] };
  const wire = { offset: BigInt(offset), timestamp: 1, key, value };
  return { record, wire, refusal: null, arrivedMs: 0, bytes: itemBytes(record, wire) };
}

describe('an event on its lane', () => {
  test('counts with the index that the chaincode writes for it', () => {
    const keys = eventIndex('event/1', value);
    const index = 'reason' in keys ? 0 : indexBytes(keys);
    expect(index).toBeGreaterThanOrEqual(50 * 256);
    const { wire, bytes } = itemOf(1, 'event/1');
    expect(bytes).toBe(recordBytes(wire) + index);
    expect(itemOf(1, 'other/1').bytes).toBe(recordBytes(itemOf(1, 'other/1').wire));
  });

  test('makes its batches shorter than others of the same bytes', () => {
    const limits = { batchRecords: 1_000, batchBytes: 100_000, batchAgeMs: 0 };
    const lengths = ['event', 'other'].map((prefix) => {
      const queue = new LaneQueue();
      for (let n = 0; n < 100; n++) {
        queue.push(itemOf(n, `${prefix}/${n}`));
      }
      return queue.head(limits)?.items.length ?? 0;
    });
    expect(lengths[0]).toBeLessThan((lengths[1] ?? 0) / 2);
    expect(lengths[0]).toBeGreaterThan(0);
  });
});
