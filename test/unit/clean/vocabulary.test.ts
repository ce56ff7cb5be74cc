/** The words of the Core Business Vocabulary have one form; none is made up. */
import { describe, expect, test } from '@jest/globals';
import {
  canonicalTerm,
  canonicalUnit,
  termsOf,
  type VocabularyName,
} from '../../../bridge/src/clean/vocabulary.ts';

describe('a term in any spelling becomes its bare word', () => {
  test.each<[VocabularyName, string, readonly string[]]>([
    [
      'bizStep',
      'shipping',
      [
        'shipping',
        ' shipping ',
        'urn:epcglobal:cbv:bizstep:shipping',
        'https://ref.gs1.org/cbv/BizStep-shipping',
        'cbv:BizStep-shipping',
      ],
    ],
    [
      'disposition',
      'in_transit',
      ['urn:epcglobal:cbv:disp:in_transit', 'https://ref.gs1.org/cbv/Disp-in_transit'],
    ],
    ['bizTransactionType', 'po', ['urn:epcglobal:cbv:btt:po', 'https://ref.gs1.org/cbv/BTT-po']],
    ['sourceDestinationType', 'location', ['urn:epcglobal:cbv:sdt:location', 'cbv:SDT-location']],
    ['errorReason', 'did_not_occur', ['urn:epcglobal:cbv:er:did_not_occur']],
    ['measurementType', 'Temperature', ['gs1:Temperature', 'https://gs1.org/voc/Temperature']],
    ['alertType', 'ALARM_CONDITION', ['gs1:ALARM_CONDITION']],
    ['component', 'latitude', ['cbv:Comp-latitude', 'https://ref.gs1.org/cbv/Comp-latitude']],
  ])('%s %s', (vocabulary, term, spellings) => {
    const found = spellings.map((spelling) => canonicalTerm(vocabulary, spelling));
    expect(found).toEqual(spellings.map(() => ({ kind: 'known', term })));
  });

  test('every word is its own form', () => {
    for (const vocabulary of ['bizStep', 'disposition', 'measurementType'] as const) {
      for (const term of termsOf(vocabulary)) {
        expect(canonicalTerm(vocabulary, term)).toEqual({ kind: 'known', term });
      }
    }
    expect([termsOf('bizStep').length, termsOf('disposition').length]).toEqual([41, 33]);
  });
});

test('words of somebody else pass through as they are', () => {
  for (const term of ['https://example.com/steps/x', 'example:steaming', 'urn:example:step:x']) {
    expect(canonicalTerm('bizStep', term)).toEqual({ kind: 'other', term });
  }
});

describe('a word that is not there is refused with the nearest that is', () => {
  test.each<[VocabularyName, string, string]>([
    ['bizStep', 'shiping', 'Did you mean "shipping"?'],
    ['bizStep', 'Shipping', 'Did you mean "shipping"?'],
    ['bizStep', 'urn:epcglobal:cbv:bizstep:shiping', 'Did you mean "shipping"?'],
    ['bizStep', 'summarising discharge', 'is not a business step of the standard vocabulary.'],
    ['disposition', 'in transit', 'Did you mean "in_transit"?'],
    [
      'disposition',
      'https://ref.gs1.org/cbv/BizStep-shipping',
      'is a business step, not a disposition.',
    ],
    ['bizStep', '', '"" is not a business step'],
    ['measurementType', 'gs1:Temprature', 'Did you mean "Temperature"?'],
  ])('%s %p', (vocabulary, text, part) => {
    const found = canonicalTerm(vocabulary, text);
    expect(found).toMatchObject({ kind: 'refused', code: 'UNKNOWN_TERM' });
    expect(found).toHaveProperty('reason', expect.stringContaining(part));
  });
});

test('units are codes of Recommendation 20', () => {
  expect(canonicalUnit('KGM')).toEqual({ kind: 'known', term: 'KGM' });
  expect(canonicalUnit('kg')).toEqual({
    kind: 'refused',
    code: 'UNKNOWN_TERM',
    reason: '"kg" is not a unit code of Recommendation 20. Did you mean "KGM"?',
  });
});
