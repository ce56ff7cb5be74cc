/** Whatever comes instead of EPCIS gives findings or events, never an exception. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { validateEpcis } from '../../../bridge/src/clean/epcis.ts';
import { splitEpcis } from '../../../bridge/src/clean/events.ts';
import { captureDocument, EVENTS, queryDocument } from '../../support/epcis-samples.ts';

const right = fc.constantFrom<unknown>(
  ...Object.values(EVENTS),
  captureDocument(Object.values(EVENTS)),
  queryDocument(Object.values(EVENTS)),
  Object.values(EVENTS),
);

const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('__proto__', 'ObjectEvent', 'urn:a:b', '2026-03-01T00:00:00Z', -1, 1e300),
);

interface Change {
  readonly at: number;
  readonly how: 'replace' | 'remove' | 'rename';
  readonly by: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('replace' as const, 'remove' as const, 'rename' as const),
  by: junk,
});

/** Every object and list inside, with the one itself. */
function holders(value: unknown): Record<string, unknown>[] {
  return typeof value === 'object' && value !== null
    ? [value as Record<string, unknown>, ...Object.values(value).flatMap(holders)]
    : [];
}

function changed(document: unknown, changes: readonly Change[]): unknown {
  const copy = structuredClone(document);
  for (const each of changes) {
    const all = holders(copy).flatMap((holder) =>
      Object.keys(holder).map((name) => ({ holder, name })),
    );
    const place = all[each.at % Math.max(all.length, 1)];
    if (place !== undefined) {
      changeOne(place.holder, place.name, each);
    }
  }
  return copy;
}

function changeOne(holder: Record<string, unknown>, name: string, { how, by }: Change): void {
  const value = how === 'rename' ? holder[name] : by;
  // A made-up object may have a member toString that is no function.
  const newName = how === 'rename' ? JSON.stringify(by ?? null).slice(0, 20) : name;
  delete holder[name];
  if (how !== 'remove') {
    // As JSON.parse does it: a member named __proto__ is a member like any other.
    const all = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(holder, newName, all);
  }
}

test('any change of a right document gives a result, and the document stays as it is', () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(right, fc.array(change, { maxLength: 4 }), (document, changes) => {
      const given = changed(document, changes);
      const before = JSON.stringify(given);
      const findings = validateEpcis(given);
      seen.add(findings === null);
      for (const { path, sentence } of findings ?? []) {
        expect(path).toMatch(/^(\/|$)/);
        expect(sentence).toMatch(/^.+[.?]$/s);
      }
      const found = splitEpcis(given);
      if (findings === null) {
        expect(found).not.toHaveProperty('sentence');
      }
      if (!('sentence' in found) && findings === null) {
        expect(found.map(({ event }) => validateEpcis(event))).toEqual(found.map(() => null));
      }
      expect(JSON.stringify(given)).toBe(before);
    }),
    { numRuns: 1_000 },
  );
  expect(seen).toEqual(new Set([true, false]));
});

test('any JSON value gives a result', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      validateEpcis(value);
      splitEpcis(value);
    }),
  );
});
