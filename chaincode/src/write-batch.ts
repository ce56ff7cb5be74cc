/**
 * WRITE_BATCH_STATE: all writes of a transaction in one message instead of one message each, which
 * is worth a factor of two to four in throughput. Fabric 3.1 has it; fabric-shim 2.5.8 has not.
 *
 * A peer says in its READY message whether it takes write batches, and an older one closes the
 * chaincode's whole stream on a message type that it does not know. So the offer is read from
 * READY, for each stream, and never assumed. fabric-shim drops READY's payload and has no way to
 * send a message of one's own, hence the hook below: it relies on three private members of
 * fabric-shim (`chat`, `_stream`, `_askPeerAndListen`), which is why fabric-shim is pinned exactly
 * and a test names them. Message types are numbers here: two versions of fabric-protos share one
 * global namespace, and the older one knows no names for the newer types.
 */
import { type ChaincodeMessage, ChaincodeMessageHandler } from 'fabric-shim/lib/handler.js';

/** Numbers of peer.ChaincodeMessage.Type and peer.WriteRecord.Type. */
export const READY = 4;
export const KEEPALIVE = 18;
export const WRITE_BATCH_STATE = 24;
export const PUT_STATE_RECORD = 9;
export const DEL_STATE_RECORD = 10;

/** A peer receives messages of at most 100 MiB by default; one write is at most a few MiB. */
export const WRITE_BATCH_BYTES_MAX = 32 * 1024 * 1024;

/** A write of a transaction; `value` null deletes the key. */
export interface Write {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** What a peer's READY message says about write batches, and the class of its messages. */
export interface WriteBatchOffer {
  /** At most this many writes fit one message. */
  readonly writesMax: number;
  readonly Message: new () => ChaincodeMessage;
}

// In service mode several peers may connect to one process, so an offer belongs to its stream's
// handler. The map is weak: it forgets a handler together with its stream.
const offers = new WeakMap<object, WriteBatchOffer>();

/** The offer of the peer behind a stub's handler; undefined when it takes no write batches. */
export function writeBatchOffer(handler: object): WriteBatchOffer | undefined {
  return offers.get(handler);
}

/** Sends writes in as few messages as the offer allows, one after another. */
export async function sendWriteBatches(
  handler: ChaincodeMessageHandler,
  offer: WriteBatchOffer,
  transaction: { readonly channelId: string; readonly txId: string },
  writes: readonly Write[],
): Promise<void> {
  for (const payload of encodeWriteBatches(writes, offer.writesMax)) {
    const message = new offer.Message();
    message.setType(WRITE_BATCH_STATE);
    message.setPayload(payload);
    message.setTxid(transaction.txId);
    message.setChannelId(transaction.channelId);
    await handler._askPeerAndListen(message, 'WriteBatchState');
  }
}

/**
 * Encodes writes as peer.WriteBatchState messages, split by count and by bytes.
 *
 * Written by hand, because objects of the generated classes cost several times as much CPU and this
 * is the hottest path of the chaincode. WriteBatchState {repeated WriteRecord rec = 1}, WriteRecord
 * {string key = 1; bytes value = 2; Type type = 5}.
 */
export function* encodeWriteBatches(
  writes: readonly Write[],
  writesMax: number,
  bytesMax: number = WRITE_BATCH_BYTES_MAX,
): Generator<Buffer> {
  let from = 0;
  let size = 0;
  const sizes: number[] = [];
  for (const [index, write] of writes.entries()) {
    const recordSize = recordBytes(write);
    const entrySize = 1 + varintBytes(recordSize) + recordSize;
    if (index > from && (index - from >= writesMax || size + entrySize > bytesMax)) {
      yield encodeBatch(writes, sizes, from, index, size);
      from = index;
      size = 0;
    }
    sizes.push(recordSize);
    size += entrySize;
  }
  if (from < writes.length) {
    yield encodeBatch(writes, sizes, from, writes.length, size);
  }
}

function recordBytes({ key, value }: Write): number {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = value === null ? 0 : 1 + varintBytes(value.length) + value.length;
  return 1 + varintBytes(keyBytes) + keyBytes + valueBytes + 2;
}

function encodeBatch(
  writes: readonly Write[],
  sizes: readonly number[],
  from: number,
  to: number,
  size: number,
): Buffer {
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (let index = from; index < to; index++) {
    const { key, value } = writes[index] as Write;
    out[at] = 0x0a;
    at = writeVarint(out, sizes[index] as number, at + 1);
    out[at] = 0x0a;
    at = writeVarint(out, Buffer.byteLength(key), at + 1);
    at += out.write(key, at);
    if (value !== null) {
      out[at] = 0x12;
      at = writeVarint(out, value.length, at + 1);
      out.set(value, at);
      at += value.length;
    }
    out[at] = 0x28;
    out[at + 1] = value === null ? DEL_STATE_RECORD : PUT_STATE_RECORD;
    at += 2;
  }
  return out;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) {
    bytes++;
  }
  return bytes;
}

function writeVarint(out: Buffer, value: number, at: number): number {
  let rest = value;
  let end = at;
  while (rest >= 0x80) {
    out[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[end++] = rest;
  return end;
}

/**
 * How many writes a message may hold according to READY's payload, ChaincodeAdditionalParams
 * {bool use_write_batch = 1; uint32 max_size_write_batch = 2}; 0 when write batches are not
 * offered. A payload that is not understood offers nothing: putState works with every peer.
 */
export function writesMaxOf(payload: Uint8Array): number {
  let use = 0;
  let max = 0;
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; at < payload.length; shift *= 128) {
      const byte = payload[at++] as number;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) {
        return value;
      }
    }
    return Number.NaN;
  };
  while (at < payload.length) {
    const tag = varint();
    // All four fields of the message are varints; another wire type is not this message.
    if (tag % 8 !== 0) {
      return 0;
    }
    const value = varint();
    if (tag === 1 << 3) {
      use = value;
    } else if (tag === 2 << 3) {
      max = value;
    }
  }
  return use === 1 && Number.isSafeInteger(max) ? max : 0;
}

/**
 * Lets this module see what fabric-shim's handlers receive: READY, to learn the offer, and
 * KEEPALIVE, which peers send when `chaincode.keepalive` is set. fabric-shim 2.5.8 takes the latter
 * for an unknown message and ends the process; it is echoed instead, as Fabric's other shims do.
 */
function hookHandler(prototype: ChaincodeMessageHandler): void {
  const chat = prototype.chat;
  prototype.chat = function hookedChat(register): void {
    const stream = this._stream;
    const on = stream.on;
    stream.on = (event, listener) =>
      on.call(stream, event, event === 'data' ? observed(this, listener) : listener);
    try {
      chat.call(this, register);
    } finally {
      stream.on = on;
    }
  };
}

/** A listener's messages as fabric-shim should see them. */
function observed(
  handler: ChaincodeMessageHandler,
  listener: (message: ChaincodeMessage) => void,
): (message: ChaincodeMessage) => void {
  return (message) => {
    const type = message.getType();
    if (type === KEEPALIVE) {
      handler._stream.write(message);
      return;
    }
    if (type === READY) {
      learnOffer(handler, message);
    }
    listener(message);
  };
}

function learnOffer(handler: object, message: ChaincodeMessage): void {
  const writesMax = writesMaxOf(message.getPayload_asU8());
  if (writesMax > 0) {
    const Message = message.constructor as WriteBatchOffer['Message'];
    offers.set(handler, { writesMax, Message });
  }
}

hookHandler(ChaincodeMessageHandler.prototype);
