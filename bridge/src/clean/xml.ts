/**
 * XML as a tree, read strictly and within bounds: no document type, and so no entities but XML's
 * own five; nothing is fetched, expanded or repaired.
 */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { NESTING_MAX, shown } from './json.ts';
import { RefusedError } from './refusal.ts';

export interface XmlAttribute {
  /** Namespace URI; '' for none. */
  readonly space: string;
  readonly prefix: string;
  readonly name: string;
  readonly value: string;
}

export interface XmlElement {
  readonly space: string;
  readonly prefix: string;
  readonly name: string;
  /** Without the declarations of namespaces. */
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** All text directly inside, as it stands. */
  readonly text: string;
  /** Where the element starts, from 1. */
  readonly line: number;
}

/** Elements and attributes of one document; each costs some hundred bytes while it is read. */
export const XML_NODES_MAX = 500_000;

/** In characters: bounds what is parsed before the bounds are looked at again. */
const PIECE_LENGTH = 64 * 1024;

const XMLNS = 'http://www.w3.org/2000/xmlns/';

type Building = XmlElement & { children: XmlElement[]; text: string };

/** What the root stands in. */
const NOTHING = { space: '', prefix: '', name: '', attributes: [], text: '', line: 0 };

/**
 * The root element.
 *
 * @throws RefusedError XML_INVALID, XML_FORBIDDEN, NESTING_TOO_DEEP, XML_TOO_LARGE,
 *   ENCODING_INVALID when the text declares another encoding than UTF-8
 */
export function readXml(text: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const root: Building = { ...NOTHING, children: [] };
  const open = [root];
  let nodes = 0;
  const count = () => checkCount(++nodes);
  const addText = (more: string) => {
    const element = open.at(-1);
    if (element !== undefined) {
      element.text += more;
    }
  };
  parser.on('error', ({ message }) => {
    throw invalid(message, parser.line);
  });
  parser.on('xmldecl', ({ encoding }) => checkEncoding(encoding));
  parser.on('doctype', () => {
    throw new RefusedError('XML_FORBIDDEN', 'A document type (<!DOCTYPE ...>) is not allowed.');
  });
  parser.on('attribute', count);
  parser.on('opentag', (tag) => {
    count();
    checkDepth(open.length);
    const element = building(tag, parser.line);
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('closetag', () => {
    open.pop();
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  for (let at = 0; at < text.length; at += PIECE_LENGTH) {
    parser.write(text.slice(at, at + PIECE_LENGTH));
  }
  parser.close();
  const [first] = root.children;
  if (first === undefined) {
    throw new RefusedError('XML_INVALID', 'There is no element.');
  }
  return first;
}

function building({ uri, prefix, local, attributes }: SaxesTagNS, line: number): Building {
  const own = Object.values(attributes).filter((attribute) => attribute.uri !== XMLNS);
  return {
    space: uri,
    prefix,
    name: local,
    attributes: own.map((attribute) => ({
      space: attribute.uri,
      prefix: attribute.prefix,
      name: attribute.local,
      value: attribute.value,
    })),
    children: [],
    text: '',
    line,
  };
}

/** The parser tells "line:column: what is wrong."; the line is told once, in our words. */
function invalid(message: string, line: number): RefusedError {
  const what = message.replace(/^\d+:\d+: /, '').replace(/\.$/, '');
  return new RefusedError('XML_INVALID', `Line ${line} is not XML: ${clipped(what)}.`);
}

const MESSAGE_MAX = 120;

function clipped(text: string): string {
  return text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX)}...` : text;
}

/** The bytes have been read as UTF-8 already: another name would mean other characters. */
function checkEncoding(encoding: string | undefined): void {
  if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
    const sentence = `The document declares the encoding ${shown(encoding)}; only UTF-8 is read.`;
    throw new RefusedError('ENCODING_INVALID', sentence);
  }
}

function checkDepth(depth: number): void {
  if (depth > NESTING_MAX) {
    const sentence = `Elements are nested more than ${NESTING_MAX} deep.`;
    throw new RefusedError('NESTING_TOO_DEEP', sentence);
  }
}

function checkCount(nodes: number): void {
  if (nodes > XML_NODES_MAX) {
    const sentence = `There are more than ${XML_NODES_MAX} elements and attributes.`;
    throw new RefusedError('XML_TOO_LARGE', sentence);
  }
}
