/** What a config block says of the sizes of blocks. */
import type { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Block } from './decode.ts';
import { decoding, EMPTY, lengthDelimited, readBytes, readMessage, varint } from './proto.ts';

// common.Envelope, common.Payload, common.ConfigEnvelope
const ENVELOPE_PAYLOAD = lengthDelimited(1); // payload
const PAYLOAD_DATA = lengthDelimited(2); // data
const ENVELOPE_CONFIG = lengthDelimited(1); // config
// common.Config
const CONFIG_GROUP = lengthDelimited(2); // channel_group
// common.ConfigGroup
const GROUPS = lengthDelimited(2); // groups
const VALUES = lengthDelimited(3); // values
// A map's entry
const ENTRY_KEY = lengthDelimited(1); // key
const ENTRY_VALUE = lengthDelimited(2); // value
// common.ConfigValue
const VALUE = lengthDelimited(2); // value
// orderer.BatchSize
const ABSOLUTE_MAX_BYTES = varint(2); // absolute_max_bytes

/**
 * The channel's AbsoluteMaxBytes: no block of it has more in its transactions. Null when the block
 * is not a config block, or says nothing of it.
 *
 * @throws ShuttleError BLOCK_INVALID when the bytes cannot be decoded
 */
export function absoluteMaxBytes({ entries }: Block): number | null {
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) {
    return null;
  }
  return decoding('a config block', () => {
    const path = [ENVELOPE_PAYLOAD, PAYLOAD_DATA, ENVELOPE_CONFIG, CONFIG_GROUP];
    let group: Uint8Array | null = entry;
    for (const tag of path) {
      group = group === null ? null : field(group, tag);
    }
    const orderer = group === null ? null : mapValue(group, GROUPS, 'Orderer');
    const batchSize = orderer === null ? null : mapValue(orderer, VALUES, 'BatchSize');
    const value = batchSize === null ? null : field(batchSize, VALUE);
    return value === null ? null : readLimit(value);
  });
}

/** The last value of a bytes field. */
function field(bytes: Uint8Array, wanted: number): Uint8Array | null {
  let found: Uint8Array | null = null;
  readBytes(bytes, (tag, reader) => {
    if (tag === wanted) {
      found = reader.bytes();
    }
    return tag === wanted;
  });
  return found;
}

/** A value of a map from strings to messages. */
function mapValue(bytes: Uint8Array, map: number, wanted: string): Uint8Array | null {
  let found: Uint8Array | null = null;
  readBytes(bytes, (tag, reader) => {
    if (tag === map) {
      const entry = readEntry(reader);
      found = entry.key === wanted ? entry.value : found;
    }
    return tag === map;
  });
  return found;
}

function readEntry(reader: BinaryReader): { readonly key: string; readonly value: Uint8Array } {
  let key = '';
  let value: Uint8Array = EMPTY;
  readMessage(reader, (tag) => {
    if (tag === ENTRY_KEY) {
      key = reader.string();
    } else if (tag === ENTRY_VALUE) {
      value = reader.bytes();
    }
    return tag === ENTRY_KEY || tag === ENTRY_VALUE;
  });
  return { key, value };
}

function readLimit(batchSize: Uint8Array): number | null {
  let limit: number | null = null;
  readBytes(batchSize, (tag, reader) => {
    if (tag === ABSOLUTE_MAX_BYTES) {
      limit = reader.uint32();
    }
    return tag === ABSOLUTE_MAX_BYTES;
  });
  return limit;
}
