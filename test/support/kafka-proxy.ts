/** A TCP proxy that knows Kafka's framing and makes chosen requests or answers go wrong. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Request kinds that tests choose by. */
export const API = {
  produce: 0,
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

export type ApiName = keyof typeof API;

export interface ProxiedRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly bytes: number;
}

/**
 * pass; `lose-request`: the connection breaks before the broker has it; `lose-answer`: it breaks
 * when the broker has answered; `hang`: the broker never gets it and nobody says so; `hold`: the
 * answer waits for `release()`; `delay`: it and those behind it come `delayMs` late.
 */
export type Fate = 'pass' | 'lose-request' | 'lose-answer' | 'hang' | 'hold' | 'delay';

export interface KafkaProxy {
  /** Decides on each request; all pass at first. */
  decide: (request: ProxiedRequest) => Fate;
  /** What was not passed, in order. */
  readonly faults: { readonly apiKey: number; readonly fate: Fate }[];
  release(): void;
  delayMs: number;
  /** Bytes that came from the broker. */
  received: number;
  /** Breaks all connections; with false, refuses new ones until called with true. */
  cut(accept: boolean): void;
  close(): Promise<void>;
}

/** Calls `onFrame` for each whole length-prefixed frame of a stream. */
function readFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let pending: Buffer[] = [];
  let size = 0;
  socket.on('data', (chunk: Buffer) => {
    pending.push(chunk);
    size += chunk.length;
    while (size >= 4) {
      const first = pending[0] as Buffer;
      const head = first.length >= 4 ? first : Buffer.concat(pending);
      const end = 4 + head.readInt32BE(0);
      if (size < end) {
        return;
      }
      const all = pending.length === 1 ? first : Buffer.concat(pending);
      pending = size > end ? [all.subarray(end)] : [];
      size -= end;
      onFrame(all.subarray(0, end));
    }
  });
}

export interface ProxyOptions {
  readonly listenPort: number;
  readonly targetPort: number;
}

/** Listens where the broker's proxied listener is advertised. */
export async function startKafkaProxy({
  listenPort,
  targetPort,
}: ProxyOptions): Promise<KafkaProxy> {
  const open = new Set<() => void>();
  const held: (() => void)[] = [];
  let accepting = true;

  const serve = (client: Socket): void => {
    if (!accepting) {
      client.destroy();
      return;
    }
    const broker = connect(targetPort, '127.0.0.1');
    const fates = new Map<number, Fate>();
    const end = (): void => {
      client.destroy();
      broker.destroy();
      open.delete(end);
    };
    open.add(end);
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    readFrames(client, (frame) => {
      const apiKey = frame.readInt16BE(4);
      const fate = proxy.decide({ apiKey, apiVersion: frame.readInt16BE(6), bytes: frame.length });
      if (fate !== 'pass') {
        proxy.faults.push({ apiKey, fate });
        fates.set(frame.readInt32BE(8), fate);
      }
      if (fate === 'lose-request') {
        end();
      } else if (fate !== 'hang') {
        broker.write(frame);
      }
    });
    const late: Buffer[] = [];
    const answerLate = (frame: Buffer): void => {
      if (late.push(frame) === 1) {
        setTimeout(() => {
          for (const each of late.splice(0)) client.write(each);
        }, proxy.delayMs).unref();
      }
    };
    readFrames(broker, (frame) => {
      proxy.received += frame.length;
      const correlation = frame.readInt32BE(4);
      const fate = fates.get(correlation);
      fates.delete(correlation);
      if (fate === 'lose-answer') {
        end();
      } else if (fate === 'hold') {
        held.push(() => client.write(frame));
      } else if (fate === 'delay' || late.length > 0) {
        answerLate(frame);
      } else {
        client.write(frame);
      }
    });
  };

  const server: Server = createServer(serve);
  const proxy: KafkaProxy = {
    decide: () => 'pass',
    faults: [],
    received: 0,
    delayMs: 500,
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
    cut: (accept) => {
      accepting = accept;
      for (const end of open) end();
    },
    close: () => {
      for (const end of open) end();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenPort, '127.0.0.1', resolve);
  });
  return proxy;
}

/** Lets one kind of request pass `before` times, gives the next one its fate, then passes all. */
export function once(apiKey: number, fate: Fate, before = 0): KafkaProxy['decide'] {
  let left = before;
  let done = false;
  return (request) => {
    if (done || request.apiKey !== apiKey) {
      return 'pass';
    }
    done = left === 0;
    left--;
    return done ? fate : 'pass';
  };
}
