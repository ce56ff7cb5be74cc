/** Whatever is read as an identifier: one form for one thing, and no wrong digit unnoticed. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkDigit } from '../../../bridge/src/clean/gs1-keys.ts';
import { canonicalIdentifier } from '../../../bridge/src/clean/identifiers.ts';
import { canonicalTerm, canonicalUnit } from '../../../bridge/src/clean/vocabulary.ts';
import { thingOf, thingText } from '../../../chaincode/src/epcis/things.ts';

const CHARACTERS_82 =
  '!"%&\'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';

const digits = (length: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...Array.from('0123456789')),
    minLength: length,
    maxLength: length,
  });
const serial = fc.string({
  unit: fc.constantFrom(...Array.from(CHARACTERS_82)),
  minLength: 1,
  maxLength: 20,
});
const prefixLength = fc.integer({ min: 6, max: 12 });

const escapedForUrn = (text: string): string => text.replaceAll(/["%&/<>?]/g, encodeURIComponent);
const escapedForElement = (text: string): string => text.replaceAll('(', '\\(');

interface Item {
  readonly gtin: string;
  readonly prefix: string;
  readonly reference: string;
}

const item: fc.Arbitrary<Item> = fc.tuple(digits(13), prefixLength).map(([body, length]) => ({
  gtin: body + checkDigit(body),
  prefix: body.slice(1, 1 + length),
  reference: body.slice(0, 1) + body.slice(1 + length),
}));

test('URN, Digital Link and element string of one item give one form', () => {
  const qualified = fc.constantFrom(
    { ai: '21', urn: 'urn:epc:id:sgtin' },
    { ai: '10', urn: 'urn:epc:class:lgtin' },
  );
  fc.assert(
    fc.property(item, serial, qualified, ({ gtin, prefix, reference }, value, { ai, urn }) => {
      const spellings = [
        `${urn}:${prefix}.${reference}.${escapedForUrn(value)}`,
        `https://example.com/a/01/${gtin}/${ai}/${encodeURIComponent(value)}?linkType=all`,
        `(01)${gtin}(${ai})${escapedForElement(value)}`,
      ];
      for (const spelling of spellings) {
        const found = canonicalIdentifier(spelling);
        expect(found).toMatchObject({ kind: 'gs1', key: gtin, qualifier: { ai, value } });
        expect(found).toEqual(canonicalIdentifier(spellings[0] ?? ''));
      }
    }),
  );
});

/** Texts that come near to being identifiers. */
const near = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'urn:epc:id:',
        'urn:epc:idpat:',
        'urn:epc:class:',
        'sgtin:',
        'sgln:',
        'grai:',
      ),
      fc.constantFrom(
        'https://id.gs1.org',
        'https://e.com',
        '/01/',
        '/00/',
        '/21/',
        '/414/',
        '?10=',
      ),
      fc.constantFrom('(01)', '(21)', '(00)', '\\', '(', ')', '%', '%2', '*', '.', '/', ':', ' '),
      fc.constantFrom(
        '9506000.013435.A',
        '09506000134352',
        '106141412345678908',
        '0614141.00777.0',
      ),
      digits(3),
      fc.string(),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

test('the ledger takes a form apart as it was put together, and leaves every other text whole', () => {
  fc.assert(
    fc.property(item, serial, fc.constantFrom('10', '21'), ({ gtin }, value, ai) => {
      const found = canonicalIdentifier(`(01)${gtin}(${ai})${escapedForElement(value)}`);
      const text = found.kind === 'gs1' ? found.canonical : '';
      const thing = { ai: '01', key: gtin, qualifierAi: ai, qualifier: value };
      expect(thingOf(text)).toEqual(thing);
      expect(thingText(thing)).toBe(text);
    }),
  );
  fc.assert(fc.property(near, (text) => thingText(thingOf(text)) === text));
});

test('two things never have one form', () => {
  const one = fc.tuple(item, serial, fc.constantFrom('10', '21'));
  fc.assert(
    fc.property(one, one, (first, second) => {
      const [a, b] = [first, second].map(([{ gtin }, value, ai]) =>
        canonicalIdentifier(`(01)${gtin}(${ai})${escapedForElement(value)}`),
      );
      const same = first[0].gtin === second[0].gtin && first[1] === second[1];
      expect(a?.kind === 'gs1' && b?.kind === 'gs1' && a.canonical === b.canonical).toBe(
        same && first[2] === second[2],
      );
    }),
  );
});

test('a change of any single digit is found', () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 9 }));
  const kind = fc.constantFrom(
    { ai: '01', length: 8 },
    { ai: '01', length: 12 },
    { ai: '01', length: 13 },
    { ai: '01', length: 14 },
    { ai: '00', length: 18 },
    { ai: '414', length: 13 },
    { ai: '402', length: 17 },
    { ai: '8018', length: 18 },
  );
  const checked = kind.chain(({ ai, length }) =>
    digits(length - 1).map((body) => ({ ai, key: body + checkDigit(body) })),
  );
  fc.assert(
    fc.property(checked, change, ({ ai, key }, [at, by]) => {
      const place = at % key.length;
      const wrong = (Number(key.charAt(place)) + by) % 10;
      const changed = key.slice(0, place) + String(wrong) + key.slice(place + 1);
      expect(canonicalIdentifier(key, { as: ai }).kind).toBe('gs1');
      expect(canonicalIdentifier(changed, { as: ai })).toMatchObject({ code: 'CHECK_DIGIT' });
      expect(canonicalIdentifier(`(${ai})${changed}`)).toMatchObject({ code: 'CHECK_DIGIT' });
    }),
  );
});

test('any text gives a result, and the form of a form is itself', () => {
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
      const found = canonicalIdentifier(text);
      if (found.kind === 'refused') {
        expect(found.reason).toMatch(/^.+\.$/s);
        expect(found.reason.length).toBeLessThan(300);
      } else {
        const again = canonicalIdentifier(found.canonical);
        expect(again).toMatchObject({ kind: found.kind, canonical: found.canonical });
      }
      const term = canonicalTerm('bizStep', text);
      if (term.kind !== 'refused') {
        expect(canonicalTerm('bizStep', term.term)).toEqual(term);
      }
      expect(['known', 'refused']).toContain(canonicalUnit(text).kind);
    }),
    { numRuns: 2_000 },
  );
});

test('hostile texts take no time', () => {
  const hostile = ['(01)', '\\', '/01/', '%', '(', '.', '1', '((((12)'].map((part) =>
    part.repeat(2_048 / part.length),
  );
  const texts = hostile.flatMap((text) => [
    text,
    ...['urn:epc:id:sgtin:', 'https://id.gs1.org', '(01)', 'urn:epc:idpat:cpi:1.'].map((start) =>
      (start + text).slice(0, 2_048),
    ),
  ]);
  const began = performance.now();
  for (const text of texts) canonicalIdentifier(text);
  expect(performance.now() - began).toBeLessThan(2_000);
});
