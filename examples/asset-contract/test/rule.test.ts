/** The rule by itself: it is a pure function, so its tests need nothing else. */
import { describe, expect, test } from '@jest/globals';
import { judge } from '../src/rule.ts';

const OURS = 'Org1MSP';

const bytes = (document: unknown): Uint8Array | null =>
  document === null ? null : Buffer.from(JSON.stringify(document));

/** What the rule says to a document, when the asset is `current`: 'accepted', or its refusal. */
function verdict(document: unknown, current: unknown = null, mspId = OURS) {
  const place = { stream: 's', topic: 't', partition: 0, offset: 7n, timestamp: 0, mspId };
  const value = bytes(document);
  const answer = judge({ key: 'asset/1', value, ...place }, bytes(current));
  if (answer === null || answer instanceof Uint8Array) {
    expect(answer).toEqual(value);
    return 'accepted';
  }
  return [answer.name, answer.sentence];
}

const asset = (state: string, distanceKm: unknown = 0, owner: unknown = OURS) => ({
  owner,
  state,
  distanceKm,
});

describe('an asset', () => {
  test('is created, shipped and received, and may then be deleted and created anew', () => {
    expect(verdict(asset('created'))).toBe('accepted');
    expect(verdict(asset('shipped', 4), asset('created', 4))).toBe('accepted');
    expect(verdict(asset('received', 9), asset('shipped', 4))).toBe('accepted');
    expect(verdict(null, asset('received', 9))).toBe('accepted');
    expect(verdict(null)).toBe('accepted');
  });

  test.each([
    [null, 'shipped', 'An asset begins as created, not as shipped.'],
    ['created', 'created', 'An asset that is created cannot become created.'],
    ['created', 'received', 'An asset that is created cannot become received.'],
    ['shipped', 'created', 'An asset that is shipped cannot become created.'],
    ['received', 'shipped', 'An asset that is received cannot become shipped.'],
    ['received', 'received', 'An asset that is received cannot become received.'],
  ])('that is %s does not become %s', (from, to, sentence) => {
    const current = from === null ? null : asset(from);
    expect(verdict(asset(to), current)).toEqual(['TRANSITION_INVALID', sentence]);
  });

  test('never comes closer again', () => {
    expect(verdict(asset('shipped', 3), asset('created', 4))).toEqual([
      'DISTANCE_DECREASED',
      'The distance was 4 km; it cannot be 3 km.',
    ]);
  });

  test('is changed by its owner alone, who may give it away', () => {
    const given = asset('shipped', 1, 'Org2MSP');
    expect(verdict(given, asset('created'))).toBe('accepted');
    expect(verdict(asset('received', 2, 'Org2MSP'), given)).toEqual([
      'NOT_THE_OWNER',
      'Org1MSP cannot change what Org2MSP owns.',
    ]);
    expect(verdict(null, asset('received', 2, 'Org2MSP'))).toContain('NOT_THE_OWNER');
    expect(verdict(asset('received', 2, 'Org2MSP'), given, 'Org2MSP')).toBe('accepted');
  });

  test('is not deleted on its way', () => {
    expect(verdict(null, asset('shipped'))).toEqual([
      'NOT_RECEIVED',
      'An asset that is shipped cannot be deleted.',
    ]);
  });

  test.each([
    [42],
    ['created'],
    [[]],
    [{}],
    [asset('lost')],
    [asset('toString')],
    [asset('created', -1)],
    [asset('created', 0.5)],
    [asset('created', '7')],
    [asset('created', 2 ** 53)],
    [asset('created', 0, '')],
    [asset('created', 0, null)],
  ])('is not %j', (document) => {
    expect(verdict(document)).toContain('NOT_AN_ASSET');
  });

  test('keeps what else its document says', () => {
    expect(verdict({ ...asset('created'), note: 'fragile' })).toBe('accepted');
  });
});
