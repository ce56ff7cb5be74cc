/** XML is read strictly, within bounds, or refused with a code. */
import { describe, expect, it } from '@jest/globals';
import { readXml, XML_NODES_MAX } from '../../../bridge/src/clean/xml.ts';
import { refusalOf } from './cleaning.ts';

describe('a text of XML', () => {
  it('gives elements with their namespaces, attributes and all of their text', () => {
    const root = readXml(
      '<?xml version="1.0" encoding="UTF-8"?>\n<!-- a note -->\n' +
        '<a:r xmlns:a="urn:a" xmlns="urn:d" one="1">\n<s a:two="&lt;2&#x41;">x<![CDATA[<&]]>y</s></a:r>',
    );
    expect(root).toMatchObject({ space: 'urn:a', prefix: 'a', name: 'r', line: 3 });
    expect(root.attributes).toEqual([{ space: '', prefix: '', name: 'one', value: '1' }]);
    expect(root.children).toMatchObject([{ space: 'urn:d', name: 's', text: 'x<&y', line: 4 }]);
    expect(root.children[0]?.attributes).toMatchObject([
      { space: 'urn:a', name: 'two', value: '<2A' },
    ]);
  });

  it('keeps characters whole where it is cut into pieces', () => {
    const text = '\u{1F4E6}'.repeat(100_001);
    expect(readXml(`<a>-${text}</a>`).text).toBe(`-${text}`);
  });
});

const steps = [{ rule: 'events', epcis: {} }];
const BOMB = `<!DOCTYPE a [${Array.from(
  { length: 12 },
  (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`,
).join('')}]><a>&e12;</a>`;

describe('what is no XML that is read', () => {
  it.each([
    ['nothing', '', 'XML_INVALID', 'Line 1 is not XML: document must contain a root element.'],
    ['an element that is not closed', '<a>\n<b>', 'XML_INVALID', 'Line 2 is not XML'],
    ['ends in the wrong order', '<a><b></a></b>', 'XML_INVALID', 'unexpected close tag'],
    ['two roots', '<a/><b/>', 'XML_INVALID', 'only one root'],
    ['text behind the root', '<a/>x', 'XML_INVALID', 'text data outside'],
    ['an attribute twice', '<a x="1" x="2"/>', 'XML_INVALID', 'duplicate attribute'],
    ['an attribute without quotes', '<a x=1/>', 'XML_INVALID', 'unquoted attribute value'],
    ['a prefix of nothing', '<p:a/>', 'XML_INVALID', 'unbound namespace prefix'],
    ['a lone ampersand', '<a>R&D</a>', 'XML_INVALID', 'Line 1 is not XML'],
    ['an entity that nobody defined', '<a>&nbsp;</a>', 'XML_INVALID', 'undefined entity'],
    ['a control character', '<a>\u0001</a>', 'XML_INVALID', 'disallowed character'],
    ['a control character by number', '<a>&#1;</a>', 'XML_INVALID', 'Line 1 is not XML'],
    ['HTML', '<!DOCTYPE html><html/>', 'XML_FORBIDDEN', 'document type'],
    ['a bomb of entities', BOMB, 'XML_FORBIDDEN', 'document type'],
    [
      'an entity from a file',
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      'XML_FORBIDDEN',
      'document type',
    ],
    ['65 levels', '<a>'.repeat(65) + '</a>'.repeat(65), 'NESTING_TOO_DEEP', 'more than 64 deep'],
    ['a million levels', '<a>'.repeat(1_000_000), 'NESTING_TOO_DEEP', 'more than 64 deep'],
    [
      'more elements than are taken',
      `<a>${'<b/>'.repeat(XML_NODES_MAX)}</a>`,
      'XML_TOO_LARGE',
      `more than ${XML_NODES_MAX}`,
    ],
    [
      'another encoding, as declared',
      '<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
      'ENCODING_INVALID',
      'declares the encoding "ISO-8859-1"; only UTF-8 is read',
    ],
    [
      'another encoding, as it is',
      Buffer.from('<a>\u00e9</a>', 'latin1'),
      'ENCODING_INVALID',
      'Byte 3 is not UTF-8.',
    ],
    ['UTF-16', Buffer.from('\ufeff<a/>', 'utf16le'), 'ENCODING_INVALID', 'it starts like UTF-16'],
    ['not of EPCIS', '<order/>', 'DOCUMENT_INVALID', '<order> is neither an EPCIS document'],
  ])('is refused: %s', async (_, value, code, words) => {
    const refusal = await refusalOf({ format: 'xml', steps }, value);
    expect(refusal).toMatchObject({ rule: 'format', code });
    expect(refusal.sentence).toContain(words);
  });
});
