import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createBulk } from '../../../bridge/src/kafka/bulk.ts';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) {
    close();
  }
});

/** A server that keeps what arrives, and a socket of the factory that is connected to it. */
async function connection(bulk: ReturnType<typeof createBulk>) {
  const received: Buffer[] = [];
  let notify = (): void => {};
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      notify();
    });
    closing.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const socket = await new Promise<Socket>((resolve) => {
    const made = bulk.socketFactory({
      host: '127.0.0.1',
      port,
      ssl: null as never,
      onConnect: () => resolve(made),
    }) as Socket;
  });
  closing.push(
    () => socket.destroy(),
    () => server.close(),
  );
  const arrived = (bytes: number): Promise<Buffer> =>
    new Promise((resolve) => {
      notify = () => {
        const all = Buffer.concat(received);
        if (all.length >= bytes) {
          resolve(all);
        }
      };
      notify();
    });
  return { socket, arrived };
}

/** A request as kafkajs frames it: its size, a header, the body. */
function framed(header: string, body: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(header.length + body.length, 0);
  return Buffer.concat([size, Buffer.from(header), body]);
}

describe('a large request', () => {
  it('arrives with its body in place of the token, and its whole size', async () => {
    const bulk = createBulk();
    const { socket, arrived } = await connection(bulk);
    const body = [Buffer.from('first,'), Buffer.alloc(300_000, 'x'), Buffer.from(',last')];
    socket.write(framed('header', bulk.standIn(body).buffer));
    const expected = framed('header', Buffer.concat(body));
    expect((await arrived(expected.length)).equals(expected)).toBe(true);
  });

  it('does not disturb what is written before and after it', async () => {
    const bulk = createBulk();
    const { socket, arrived } = await connection(bulk);
    const small = framed('small request', Buffer.from('0123456789abcdef'));
    const body = [Buffer.alloc(100_000, 'y')];
    const token = bulk.standIn(body).buffer;
    socket.write(small);
    socket.write(framed('h', token));
    socket.write(small);
    const expected = Buffer.concat([small, framed('h', Buffer.concat(body)), small]);
    expect((await arrived(expected.length)).equals(expected)).toBe(true);
  });

  it('that is sent again gets a stand-in of its own', () => {
    const bulk = createBulk();
    const body = [Buffer.from('b')];
    expect(bulk.standIn(body).buffer.equals(bulk.standIn(body).buffer)).toBe(false);
  });
});
