import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  effectiveWatermark,
  type Placement,
  placeBatch,
} from '../../../chaincode/src/watermark.ts';

/** A lane of the source: ascending offsets with holes, as compaction and markers leave them. */
const lane = fc
  .uniqueArray(fc.nat({ max: 200 }), { minLength: 1, maxLength: 40 })
  .map((offsets) => offsets.sort((a, b) => a - b).map(BigInt));

const at = (offset: bigint | null) => (offset === null ? null : { offset });

/** One step of one writer: which watermark it believes in, and how many records it takes. */
const step = fc.record({
  writer: fc.nat({ max: 3 }),
  count: fc.integer({ min: 1, max: 15 }),
  action: fc.constantFrom('submit', 'refresh', 'forget', 'lose'),
});

/** A ledger with one lane, that keeps everything it applied. */
class LaneLedger {
  watermark: bigint | null = null;
  readonly applied: bigint[] = [];

  submit(after: bigint, batch: readonly bigint[]): Placement {
    const effective = effectiveWatermark({ base: -1n }, at(this.watermark));
    const placement = placeBatch(effective, after);
    if (placement === 'next') {
      this.applied.push(...batch);
      this.watermark = batch.at(-1) ?? null;
    }
    return placement;
  }
}

function cut(source: readonly bigint[], after: bigint, count: number): readonly bigint[] {
  return source.filter((offset) => offset > after).slice(0, count);
}

/** A writer that acts on what it believes the watermark to be, which may be long out of date. */
class LaneWriter {
  private believed = -1n;

  act(source: readonly bigint[], ledger: LaneLedger, action: string, count: number): void {
    if (action === 'refresh') {
      this.believed = ledger.watermark ?? -1n;
    } else if (action === 'forget') {
      this.believed = -1n;
    } else {
      const batch = cut(source, this.believed, count);
      const isNew = batch.length > 0 && ledger.submit(this.believed, batch) === 'next';
      // 'lose': the answer never arrived, so the writer still believes what it did.
      this.believed = isNew && action === 'submit' ? (batch.at(-1) ?? -1n) : this.believed;
    }
  }
}

describe('however batches are cut, repeated and interleaved by any number of writers', () => {
  test('the ledger holds a prefix of the lane, each record once and in order', () => {
    fc.assert(
      fc.property(lane, fc.array(step, { maxLength: 60 }), (source, steps) => {
        const ledger = new LaneLedger();
        const writers = Array.from({ length: 4 }, () => new LaneWriter());
        for (const { writer, count, action } of steps) {
          writers[writer]?.act(source, ledger, action, count);
          expect(ledger.applied).toEqual(source.slice(0, ledger.applied.length));
        }
        const rest = source.slice(ledger.applied.length);
        ledger.submit(ledger.watermark ?? -1n, rest);
        expect(ledger.applied).toEqual(source);
      }),
    );
  });

  test('a batch that leaves a record out is a gap, whatever else it holds', () => {
    fc.assert(
      fc.property(lane, fc.nat(), fc.nat(), (source, finished, left) => {
        const done = finished % source.length;
        const ledger = new LaneLedger();
        if (done > 0) {
          ledger.submit(-1n, source.slice(0, done));
        }
        const hole = done + (left % (source.length - done));
        const after = source[hole] ?? 0n;
        const batch = source.slice(hole + 1);
        fc.pre(batch.length > 0);
        expect(ledger.submit(after, batch)).toBe('gap');
        expect(ledger.applied).toEqual(source.slice(0, done));
      }),
    );
  });
});

test('the base counts like a watermark, and the larger of both is effective', () => {
  fc.assert(
    fc.property(fc.bigInt(-1n, 100n), fc.option(fc.bigInt(-1n, 100n)), (base, watermark) => {
      const effective = effectiveWatermark({ base }, at(watermark));
      expect(effective >= base && (watermark === null || effective >= watermark)).toBe(true);
      expect(effective === base || effective === watermark).toBe(true);
    }),
  );
});
