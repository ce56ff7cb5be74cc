/**
 * Runs contracts as a service that peers connect to.
 *
 * `fabric-chaincode-node server` does the same, but does not stop in order: in a container, where
 * it is process 1, SIGTERM would not even end it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ChaincodeInterface } from 'fabric-shim';

import ChaincodeFromContract = require('fabric-shim/lib/contract-spi/chaincodefromcontract.js');
import ChaincodeServer = require('fabric-shim/lib/server.js');

import { serializers } from './serializer.ts';

/** Transactions that are running when the service stops get this long to answer. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * What fabric-chaincode-node sets too. Messages have no limit here, because a batch exceeds gRPC's
 * 4 MiB; the peer's own limit of 100 MiB bounds them.
 */
const GRPC_OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 110_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.keepalive_permit_without_calls': 1,
} as const;

export interface ServeOptions {
  /** Where to listen, as HOST:PORT. */
  readonly address: string;
  /** The package id that `peer lifecycle chaincode install` answered. */
  readonly chaincodeId: string;
  /** PEM; without it, peers connect in plain text. With `clientCa`, peers need a certificate. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer; readonly clientCa?: Buffer };
}

export interface Service {
  /** Lets the running transactions answer, refuses new ones, and closes the peers' streams. */
  close(): Promise<void>;
}

/** Starts to serve contracts; settles when the address is bound. */
export async function serve(
  contracts: readonly (new () => object)[],
  options: ServeOptions,
): Promise<Service> {
  const chaincode = new DrainableChaincode(chaincodeOf(contracts));
  const server = new StreamTrackingServer(chaincode, {
    ...GRPC_OPTIONS,
    ccid: options.chaincodeId,
    address: options.address,
    tlsProps: tlsOf(options.tls),
  });
  await server.start();
  return {
    close: async () => {
      const force = setTimeout(() => server.force(), CLOSE_TIMEOUT_MS);
      await Promise.race([chaincode.drain(), server.forced]);
      // The shim writes a transaction's answer after the transaction itself has settled.
      await setImmediate();
      await Promise.race([server.shutDown(), server.forced]);
      clearTimeout(force);
    },
  };
}

function chaincodeOf(contracts: readonly (new () => object)[]): ChaincodeInterface {
  const path = join(__dirname, '..', 'package.json');
  const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  return new ChaincodeFromContract([...contracts], serializers, {}, name ?? '', version ?? '');
}

function tlsOf(tls: ServeOptions['tls']) {
  return tls === undefined
    ? null
    : { key: tls.key, cert: tls.cert, ...(tls.clientCa && { clientCACerts: tls.clientCa }) };
}

/** Counts the transactions that run, and refuses new ones once it drains. */
class DrainableChaincode implements ChaincodeInterface {
  private readonly chaincode: ChaincodeInterface;
  private running = 0;
  private drained: (() => void) | null = null;

  constructor(chaincode: ChaincodeInterface) {
    this.chaincode = chaincode;
  }

  Init: ChaincodeInterface['Init'] = (stub) => this.run(() => this.chaincode.Init(stub));
  Invoke: ChaincodeInterface['Invoke'] = (stub) => this.run(() => this.chaincode.Invoke(stub));

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.drained = resolve;
      this.settle();
    });
  }

  private async run<T>(transaction: () => Promise<T>) {
    if (this.drained !== null) {
      return { status: 500, message: 'The chaincode is shutting down.' };
    }
    this.running++;
    try {
      return await transaction();
    } finally {
      this.running--;
      this.settle();
    }
  }

  private settle(): void {
    if (this.running === 0) {
      this.drained?.();
    }
  }
}

class StreamTrackingServer extends ChaincodeServer {
  private readonly streams = new Set<{ end(): void }>();
  private markForced: () => void = () => undefined;
  readonly forced = new Promise<void>((resolve) => {
    this.markForced = resolve;
  });

  override connect(stream: Parameters<ChaincodeServer['connect']>[0]): void {
    this.streams.add(stream);
    stream.on('end', () => this.streams.delete(stream));
    super.connect(stream);
  }

  /** Ends each stream behind the answers that were written to it. */
  shutDown(): Promise<void> {
    return new Promise((resolve) => {
      this._server.tryShutdown(resolve);
      for (const stream of this.streams) {
        stream.end();
      }
    });
  }

  force(): void {
    this._server.forceShutdown();
    this.markForced();
  }
}
