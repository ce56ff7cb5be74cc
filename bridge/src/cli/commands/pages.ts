/** Answers of the ledger that come in pages, put together without touching a document's bytes. */
import type { Ledger } from '../../ports.ts';
import { rawItems, rawMembers } from '../verbatim.ts';

/** What the chaincode allows on one page. */
const PAGE_SIZE_MAX = 1_000;

export interface Pages {
  /** The raw JSON of each entry. */
  readonly entries: readonly string[];
  /** Where to go on; '' at the end. */
  readonly bookmark: string;
}

/** Reads pages of `transaction` until `limit` entries or the end. */
export async function readPages(
  ledger: Ledger,
  transaction: 'getHistory' | 'listData',
  subject: string,
  limit: number,
  bookmark: string,
): Promise<Pages> {
  const member = transaction === 'getHistory' ? 'versions' : 'documents';
  const entries: string[] = [];
  let next = bookmark;
  do {
    const size = String(Math.min(limit - entries.length, PAGE_SIZE_MAX));
    const answer = await ledger.evaluate(transaction, [subject, size, next]);
    const page = rawMembers(new TextDecoder('utf-8', { ignoreBOM: true }).decode(answer));
    entries.push(...rawItems(page.get(member) ?? '[]'));
    next = JSON.parse(page.get('bookmark') ?? '""') as string;
  } while (next !== '' && entries.length < limit);
  return { entries, bookmark: next };
}

/** The members of an entry that are not the document. */
export interface EntryHead {
  readonly key?: string;
  readonly txId?: string;
  readonly timestamp: number;
  readonly mspId: string | null;
  readonly deleted?: boolean;
  readonly source: {
    readonly stream?: string | null;
    readonly topic: string | null;
    readonly partition: number | null;
    readonly offset: string | null;
  } | null;
}

/** The head of an entry, and its document as raw text ("null" for a deletion). */
export function splitEntry(entry: string): { head: EntryHead; document: string } {
  const members = rawMembers(entry);
  const document = members.get('document') ?? 'null';
  members.delete('document');
  const head = [...members].map(([name, raw]) => `${JSON.stringify(name)}:${raw}`).join(',');
  return { head: JSON.parse(`{${head}}`) as EntryHead, document };
}

/** Who wrote it: a position in a topic, or a client. */
export function writer({ source, mspId }: EntryHead): string {
  return source === null
    ? `client of ${mspId ?? 'an unknown MSP'}`
    : `${source.topic}/${source.partition}@${source.offset}`;
}
