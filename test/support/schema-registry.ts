/** A schema registry that holds what a test gives it, and fails as it is told to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StubSchema {
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly { name: string; subject: string; version: number }[];
}

export interface StubRegistry {
  readonly url: string;
  /** Paths that were asked for, each time. */
  readonly asked: string[];
  /** The status of the next answers, one each; null gives none. */
  readonly failures: (number | null)[];
  /** Authorization header that has to come; any will do by default. */
  authorization: string | null;
  close(): Promise<void>;
}

/** @param held - answers by path, such as /schemas/ids/7 */
export async function startRegistry(
  held: Readonly<Record<string, StubSchema | string>>,
): Promise<StubRegistry> {
  const asked: string[] = [];
  const failures: (number | null)[] = [];
  const stub = { asked, failures, authorization: null as string | null };
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const failure = failures.shift();
    if (failure === null) {
      return;
    }
    const found = held[request.url ?? ''];
    const allowed =
      stub.authorization === null || request.headers.authorization === stub.authorization;
    const status = failure ?? (allowed ? (found === undefined ? 404 : 200) : 401);
    response.statusCode = status;
    const body = status === 200 ? found : { error_code: status * 100 + 3, message: 'Not so.' };
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(stub, {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** A record in the registry's wire format. */
export function registered(id: number, payload: Uint8Array | string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, Buffer.from(payload as string)]);
}
