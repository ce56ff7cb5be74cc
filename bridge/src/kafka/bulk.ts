/**
 * Lets large requests reach the socket without kafkajs' three copies, which cost the publisher more
 * than half of its time, for copying and for collecting the copies. kafkajs is given a token in
 * place of the body; the socket, which kafkajs lets its user create, writes the body in its stead.
 */
import { randomBytes } from 'node:crypto';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

/** What kafkajs takes for its own encoder: it copies `buffer`, and asks `buf` for its type. */
export interface EncodedRequest {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

export interface Bulk {
  /** Stands for the body until it is written. */
  standIn(body: readonly Uint8Array[]): EncodedRequest;
  readonly socketFactory: ISocketFactory;
}

const KEEP_ALIVE_DELAY_MS = 60_000;
const TOKEN_BYTES = 16;
const SIZE_BYTES = 4;
/**
 * Producers send one request at a time, so bodies wait only for their own connection. One that was
 * never written (its connection had gone) is let go of when later ones come.
 */
const WAITING_MAX = 8;

type Write = (data: Uint8Array) => boolean;

export function createBulk(): Bulk {
  const waiting = new Map<string, readonly Uint8Array[]>();

  const standIn = (body: readonly Uint8Array[]): EncodedRequest => {
    const token = randomBytes(TOKEN_BYTES);
    waiting.set(token.toString('latin1'), body);
    const [oldest] = waiting.keys();
    if (waiting.size > WAITING_MAX && oldest !== undefined) {
      waiting.delete(oldest);
    }
    return { buf: token, buffer: token };
  };

  const take = (data: Uint8Array): readonly Uint8Array[] | undefined => {
    if (waiting.size === 0 || data.length < TOKEN_BYTES) {
      return undefined;
    }
    const token = Buffer.from(data.subarray(-TOKEN_BYTES)).toString('latin1');
    const body = waiting.get(token);
    waiting.delete(token);
    return body;
  };

  const socketFactory: ISocketFactory = (args) => {
    const socket = open(args);
    const write: Write = socket.write.bind(socket);
    const writeAll: Write = (data) => {
      const body = take(data);
      if (body === undefined) {
        return write(data);
      }
      const head = Buffer.from(data.subarray(0, -TOKEN_BYTES));
      const bytes = body.reduce((sum, part) => sum + part.length, head.length - SIZE_BYTES);
      head.writeInt32BE(bytes, 0);
      socket.cork();
      write(head);
      const drained = body.map((part) => write(part)).every((each) => each);
      socket.uncork();
      return drained;
    };
    return Object.assign(socket, { write: writeAll });
  };

  return { standIn, socketFactory };
}

/** As kafkajs opens its own. */
function open({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket =
    ssl === undefined || ssl === null
      ? connectPlain({ host, port }, onConnect)
      : connectTls({ host, port, ...name, ...ssl }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  return socket;
}
