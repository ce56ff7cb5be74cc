/** One thing has one form, whatever its spelling. */
import { describe, expect, test } from '@jest/globals';
import {
  type CanonicalOptions,
  canonicalIdentifier,
} from '../../../bridge/src/clean/identifiers.ts';
import { IDENTIFIER_LENGTH_MAX } from '../../../bridge/src/limits.ts';

const canonical = (text: string, options?: CanonicalOptions): string => {
  const found = canonicalIdentifier(text, options);
  return found.kind === 'refused' ? `${found.code}: ${found.reason}` : found.canonical;
};

const id = (path: string): string => `https://id.gs1.org/${path}`;

describe('every spelling of a thing gives the same form', () => {
  test.each([
    [
      'an item by its serial',
      id('01/09506000134352/21/A-7'),
      [
        'urn:epc:id:sgtin:9506000.013435.A-7',
        'URN:EPC:ID:SGTIN:9506000.013435.A-7',
        'https://id.gs1.org/01/09506000134352/21/A-7',
        'http://shop.example.com/p/01/9506000134352/10/LOT/21/A-7?17=251231#top',
        'https://example.com/01/09506000134352/22/V1/21/A%2D7/',
        '(01)09506000134352(21)A-7',
        ' (01) 09506000134352 (17) 251231 (10) LOT (21) A-7 ',
      ],
    ],
    [
      'a lot',
      id('01/09506000134352/10/L%2F1'),
      [
        'urn:epc:class:lgtin:9506000.013435.L%2F1',
        'https://example.com/01/09506000134352/10/L%2f1',
        '(01)09506000134352(10)L/1',
      ],
    ],
    [
      'a product',
      id('01/09506000134352'),
      [
        'urn:epc:idpat:sgtin:9506000.013435.*',
        '09506000134352',
        '9506000134352',
        '(01)09506000134352',
        'https://example.com/01/9506000134352',
      ],
    ],
    ['a GTIN-8', id('01/00000012345670'), ['12345670', '00012345670'.padStart(14, '0')]],
    ['a GTIN-12', id('01/00614141000036'), ['614141000036', '00614141000036']],
    [
      'a logistic unit',
      id('00/106141412345678908'),
      [
        'urn:epc:id:sscc:0614141.1234567890',
        '106141412345678908',
        '(00)106141412345678908',
        'https://example.com/00/106141412345678908',
      ],
    ],
    [
      'a place',
      id('414/0614141007776'),
      [
        'urn:epc:id:sgln:0614141.00777.0',
        'https://example.com/414/0614141007776/254/0',
        '(414)0614141007776(254)0',
      ],
    ],
    [
      'a place in a place',
      id('414/0614141073467/254/12'),
      ['urn:epc:id:sgln:0614141.07346.12', '(414)0614141073467(254)12'],
    ],
    ['a party', id('417/0614141007776'), ['urn:epc:id:pgln:0614141.00777']],
    [
      'a returnable asset',
      id('8003/04012345555554987'),
      ['urn:epc:id:grai:4012345.55555.987', '(8003)04012345555554987'],
    ],
    ['a fixed asset', id('8004/4012345ABC'), ['urn:epc:id:giai:4012345.ABC', '(8004)4012345ABC']],
    ['a service relation', id('8018/061414100000102534'), ['urn:epc:id:gsrn:0614141.0000010253']],
    ['a provider', id('8017/401234500000987658'), ['urn:epc:id:gsrnp:4012345.0000098765']],
    ['a document', id('253/401234555555498'), ['urn:epc:id:gdti:4012345.55555.98']],
    ['a coupon', id('255/401234599999044'), ['urn:epc:id:sgcn:4012345.99999.44']],
    ['a consignment', id('401/4012345333'), ['urn:epc:id:ginc:4012345.333']],
    ['a shipment', id('402/40123459999876541'), ['urn:epc:id:gsin:4012345.999987654']],
    [
      'a part',
      id('8010/4012345A%23B/8011/123'),
      ['urn:epc:id:cpi:4012345.A%23B.123', '(8010)4012345A#B(8011)123'],
    ],
    [
      'a piece of an item',
      id('8006/040123451234560102/21/999'),
      ['urn:epc:id:itip:4012345.012345.01.02.999', '(8006)040123451234560102(21)999'],
    ],
    [
      'an item of a third party',
      id('01/04012345123456/235/AB12'),
      ['urn:epc:id:upui:4012345.012345.AB12'],
    ],
    [
      'a serial with a bracket',
      id('01/09506000134352/21/%2810%29'),
      ['(01)09506000134352(21)\\(10)'],
    ],
  ])('%s', (_, form, spellings) => {
    expect(spellings.map((spelling) => canonical(spelling))).toEqual(spellings.map(() => form));
    expect(canonical(form)).toBe(form);
  });

  test('bare digits are what the caller says they are', () => {
    expect(canonical('0614141007776', { as: '414' })).toBe(id('414/0614141007776'));
    expect(canonical('4012345ABC', { as: '8004' })).toBe(id('8004/4012345ABC'));
  });

  test('what the identity does without is told, so that a lot of an item is not lost', () => {
    expect(canonicalIdentifier('(01)09506000134352(10)L1(21)A')).toMatchObject({
      kind: 'gs1',
      ai: '01',
      key: '09506000134352',
      qualifier: { ai: '21', value: 'A' },
      further: [{ ai: '10', value: 'L1' }],
    });
  });
});

describe('what is no key of GS1 passes through as it is', () => {
  test.each([
    'https://example.com/products/1',
    'https://example.com/01/20240101',
    'https://example.com/01/09506000134352/reviews',
    'urn:uuid:404d95fc-9457-4a51-bd6a-0bba133845a8',
    'urn:epcglobal:cbv:bt:0614141073467:1152',
    'urn:epc:id:gid:95100000.12345.400',
    'urn:epc:id:adi:2S194..12345678901',
    'ASN-93',
    '12345',
    '(02) 555 1234',
    'Ä\u0000\ud800',
  ])('%p', (text) => {
    expect(canonicalIdentifier(text)).toEqual({ kind: 'other', canonical: text });
  });
});

describe('what is meant as a key and is none is refused with a sentence', () => {
  test.each([
    [
      '09506000134353',
      'CHECK_DIGIT: The check digit of GTIN 09506000134353 is 3, but has to be 2.',
    ],
    [
      'https://example.com/414/0614141007777',
      'CHECK_DIGIT: The check digit of GLN 0614141007777 is 7, but has to be 6.',
    ],
    ['', 'EMPTY: The identifier is empty.'],
    [
      'x'.repeat(IDENTIFIER_LENGTH_MAX + 1),
      'TOO_LONG: The identifier has 2049 characters; 2048 are the most.',
    ],
    [
      'urn:epc:id:sgtin:9506000.01343.1',
      'PREFIX: Prefix and reference of sgtin have 12 digits together; 13 are right.',
    ],
    [
      'urn:epc:id:sgtin:95060.00013435.1',
      'PREFIX: The company prefix 95060 has 5 digits; 6 to 12 are possible.',
    ],
    [
      'urn:epc:id:sgtin:9506000.013435',
      'FORM: sgtin:9506000.013435 does not have the parts of sgtin.',
    ],
    [
      'urn:epc:tag:sgtin-96:3.0614141.107346.2018',
      'FORM: "urn:epc:tag:sgtin-96:3.0614141.107346.2018" is not an EPC URN of a kind that is known.',
    ],
    [
      'urn:epc:idpat:sgtin:9506000.*.*',
      'PATTERN: sgtin:9506000.*.* is a pattern that spans several keys.',
    ],
    ['urn:epc:idpat:giai:9506000.*', 'PATTERN: A pattern of giai names everything of one company.'],
    [
      'https://example.com/01/09506000134352?21=A',
      'QUALIFIER: The query has a (21) that the path does not have.',
    ],
    [
      'https://example.com/00/106141412345678908/21/A',
      'QUALIFIER: SSCC 106141412345678908 has no (21).',
    ],
    ['(01)09506000134352(21)A(21)B', 'QUALIFIER: The text has two different values of (21).'],
    [
      '(01)09506000134352(00)106141412345678908',
      'SEVERAL: The element string names several things, by (01) and (00).',
    ],
    [
      '(01)0950600013435(21)A',
      'CHECK_DIGIT: The check digit of GTIN 0950600013435 is 5, but has to be 9.',
    ],
    ['(01)09506000134352(21)Ä', 'VALUE: "Ä" is no serial (21).'],
    [
      'https://id.gs1.org/gtin/09506000134352',
      'FORM: "https://id.gs1.org/gtin/09506000134352" is not a GS1 Digital Link with a key that is known.',
    ],
  ])('%p', (text, sentence) => {
    expect(canonical(text)).toBe(sentence);
  });

  test('a digit that a spreadsheet dropped', () => {
    expect(canonical('614141007776', { as: '414' })).toBe(
      'VALUE: "614141007776" is no GLN, which has 13 digits. A spreadsheet may have dropped a leading zero.',
    );
  });
});
