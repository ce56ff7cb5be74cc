import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { isFree, isListening } from '../../../network/src/busy-ports.ts';

const HOST = '127.0.0.1';

async function listen(port: number) {
  const server = createServer().listen({ port, host: HOST, exclusive: true });
  await once(server, 'listening');
  return server;
}

describe('whether a process listens on a port', () => {
  it('is told', async () => {
    const server = await listen(0);
    const { port } = server.address() as AddressInfo;
    expect([await isListening(port), await isFree(port)]).toEqual([true, false]);
    server.close();
    await once(server, 'close');
    expect([await isListening(port), await isFree(port)]).toEqual([false, true]);
  });

  it('can be asked without being in the way of one that starts', async () => {
    let server = await listen(0);
    const { port } = server.address() as AddressInfo;
    for (let round = 0; round < 100; round++) {
      server.close();
      await once(server, 'close');
      const asked = isListening(port);
      server = await listen(port);
      await asked;
    }
    server.close();
    await once(server, 'close');
  });
});
