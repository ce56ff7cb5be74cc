/**
 * Reading documents: current value, history and lists. Answers are bounded, so that every client
 * can receive them, and hold each document byte for byte.
 */
import { decodeStored, utf8Text } from './documents.ts';
import { decodeEnvelope, type Envelope, type Version } from './envelope.ts';
import { readLayout } from './layout.ts';
import type { Layout } from './ledger.ts';
import { Refusal } from './refusal.ts';
import type { HistoryEntry, State } from './state.ts';

export const PAGE_SIZE_MAX = 1_000;

/**
 * A page ends before it grows past this, unless its first entry alone does. A document has 1 MiB at
 * most, so every page fits the 4 MiB that gRPC clients receive unless told otherwise.
 */
export const PAGE_BYTES_MAX = 3 * 1024 * 1024;

/** Entries read from the state at once: each can have 8 MiB, and a peer sends 100 MiB at most. */
const READ_AHEAD = 8;

/** Entries that one page of a list reads at most, so that tombstones cannot hold it up for long. */
const LIST_READS_MAX = 4_000;

const CODE_POINT_MAX = 0x10ffff;

/** The document under a key, byte for byte; null when there is none or it was deleted. */
export async function currentDocument(state: State, key: string): Promise<Uint8Array | null> {
  const stored = await state.get(key);
  return stored === null ? null : currentVersion(decodeStored(stored)).document;
}

/**
 * One page of the versions of a key, newest first. A bookmark names the last version of the page
 * before by its transaction, so versions that are written meanwhile do not shift the pages.
 *
 * @throws Refusal ARGUMENT_INVALID when the bookmark is not one of this history
 */
export async function historyPage(
  state: State,
  key: string,
  pageSize: number,
  bookmark: string,
): Promise<string> {
  const page = new Page('versions', pageSize);
  const sources = new Sources(state);
  let skipping = bookmark !== '';
  let last = bookmark;
  for await (const entry of state.history(key)) {
    const versions = versionsOf(entry);
    for (let index = versions.length - 1; index >= 0; index--) {
      const position = `${entry.txId}:${index}`;
      if (skipping) {
        skipping = position !== bookmark;
        continue;
      }
      const { envelope, version } = versions[index] as WrittenVersion;
      const { mspId, source } = await sources.of(envelope, version);
      const head =
        `"txId":${JSON.stringify(entry.txId)},"timestamp":${entry.timestamp},"mspId":${mspId}` +
        `,"source":${source},"deleted":${version.document === null}`;
      if (!page.add(head, version.document)) {
        return page.end(last);
      }
      last = position;
    }
  }
  if (skipping) {
    throw new Refusal('ARGUMENT_INVALID', 'The bookmark is not one of this history.');
  }
  return page.end('');
}

/**
 * One page of the documents whose key starts with a prefix, in the order of their keys; deleted
 * ones are left out. A bookmark is the key that the page starts with.
 *
 * @throws Refusal ARGUMENT_INVALID
 */
export async function listPage(
  state: State,
  prefix: string,
  pageSize: number,
  bookmark: string,
): Promise<string> {
  const start = bookmark === '' ? prefix : bookmark;
  // Both could lead into layouts and watermarks, which are no documents.
  if (start.startsWith('\0')) {
    throw new Refusal('ARGUMENT_INVALID', 'No document has a key that starts with U+0000.');
  }
  if (!start.startsWith(prefix)) {
    throw new Refusal('ARGUMENT_INVALID', 'The bookmark is not one of this list.');
  }
  const page = new Page('documents', pageSize);
  const sources = new Sources(state);
  const end = prefixEnd(prefix);
  let next = start;
  let reads = 0;
  do {
    const read = await state.page(next, end, READ_AHEAD);
    for (const { key, value } of read.entries) {
      const envelope = decodeStored(value);
      const version = currentVersion(envelope);
      if (version.document === null) {
        continue;
      }
      const { mspId, source } = await sources.of(envelope, version);
      const head =
        `"key":${JSON.stringify(key)},"timestamp":${version.timestamp},"mspId":${mspId}` +
        `,"source":${source}`;
      if (!page.add(head, version.document)) {
        return page.end(key);
      }
    }
    next = read.next;
    reads += READ_AHEAD;
  } while (next !== '' && reads < LIST_READS_MAX);
  return page.end(next);
}

/** The smallest key behind all keys with a prefix, in the order of UTF-8; '' when there is none. */
export function prefixEnd(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === CODE_POINT_MAX) {
    points.pop();
  }
  const last = points.pop();
  if (last === undefined) {
    return '';
  }
  // Surrogates are no characters, so the one behind U+D7FF is U+E000.
  points.push(last === 0xd7ff ? 0xe000 : last + 1);
  return String.fromCodePoint(...points);
}

/** Collects entries as JSON text, because a document must not be parsed and written again. */
class Page {
  private readonly name: string;
  private readonly sizeMax: number;
  private readonly entries: string[] = [];
  private bytes = 0;

  constructor(name: string, sizeMax: number) {
    this.name = name;
    this.sizeMax = sizeMax;
  }

  /** Adds an entry; false when the page is full and the entry belongs to the next one. */
  add(head: string, document: Uint8Array | null): boolean {
    const bytes = Buffer.byteLength(head) + (document?.length ?? 0) + 20;
    const isFull = this.entries.length >= this.sizeMax || this.bytes + bytes > PAGE_BYTES_MAX;
    if (isFull && this.entries.length > 0) {
      return false;
    }
    this.bytes += bytes;
    this.entries.push(`{${head},"document":${document === null ? 'null' : utf8Text(document)}}`);
    return true;
  }

  end(bookmark: string): string {
    const entries = this.entries.join(',');
    return `{"${this.name}":[${entries}],"bookmark":${JSON.stringify(bookmark)}}`;
  }
}

/** Tells who wrote a version, as JSON; each layout is read once per query. */
class Sources {
  private readonly state: State;
  private readonly layouts = new Map<string, Layout | null>();

  constructor(state: State) {
    this.state = state;
  }

  async of(
    envelope: Envelope | null,
    version: Version,
  ): Promise<{ readonly mspId: string; readonly source: string }> {
    if (envelope === null) {
      return { mspId: 'null', source: 'null' };
    }
    const { writer } = envelope;
    if (writer.kind === 'client') {
      return { mspId: JSON.stringify(writer.mspId), source: 'null' };
    }
    const layout = await this.layout(writer.shortId);
    const source = {
      stream: layout?.stream ?? null,
      topic: layout?.topic ?? null,
      partition: layout?.partition ?? null,
      offset: version.offset?.toString() ?? null,
      timestamp: version.timestamp,
    };
    return {
      mspId: JSON.stringify(layout?.mspId ?? null),
      source: JSON.stringify(source),
    };
  }

  private async layout(shortId: string): Promise<Layout | null> {
    let layout = this.layouts.get(shortId);
    if (layout === undefined) {
      layout = await readLayout(this.state, shortId);
      this.layouts.set(shortId, layout);
    }
    return layout;
  }
}

interface WrittenVersion {
  readonly envelope: Envelope | null;
  readonly version: Version;
}

/** Oldest first. Shuttle never deletes a key from the state, but a contract before it may have. */
function versionsOf({ value, timestamp }: HistoryEntry): readonly WrittenVersion[] {
  if (value === null) {
    return [{ envelope: null, version: { offset: null, timestamp, document: null } }];
  }
  const envelope = decodeEnvelope(value);
  return envelope.versions.map((version) => ({ envelope, version }));
}

function currentVersion(envelope: Envelope): Version {
  return envelope.versions.at(-1) as Version;
}
