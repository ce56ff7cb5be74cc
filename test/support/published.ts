/** What a publisher has written, as a reader finds it. */
import type { OutputRecord, SourceRecord } from '../../bridge/src/values.ts';

const bytes = (value: Uint8Array | string | null): Uint8Array | null =>
  typeof value === 'string' ? Buffer.from(value) : value;

/** The record as it is read from Kafka: everything in bytes. */
export function asRead(
  { key, value, headers, timestamp }: OutputRecord,
  offset = 0n,
): SourceRecord {
  return {
    offset,
    timestamp: timestamp ?? 0,
    key: bytes(key),
    value: bytes(value),
    headers: headers.map((header) => ({ name: header.name, value: bytes(header.value) })),
  };
}
