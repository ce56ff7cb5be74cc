/**
 * Serves contracts as a process of its own, Shuttle's or a team's, with these settings:
 *
 *   CHAINCODE_SERVER_ADDRESS   where to listen, HOST:PORT
 *   CHAINCODE_ID               the package id (CORE_CHAINCODE_ID_NAME is understood too)
 *   CHAINCODE_TLS_KEY, CHAINCODE_TLS_CERT   files in PEM; both or none
 *   CHAINCODE_CLIENT_CA_CERT   file in PEM: peers must show a certificate of this authority
 *   CORE_CHAINCODE_LOGGING_LEVEL   fabric-shim's log; `error` here unless it is set, because a log
 *                                  line for each call is costly
 *
 * It stops on SIGTERM and SIGINT once the running transactions have answered.
 */
import { readFileSync } from 'node:fs';
import type { ServeOptions } from './serve.ts';

const EXIT_USAGE = 2;
const EXIT_UNAVAILABLE = 3;

/** What a chaincode's entry exports. */
export interface Entry {
  readonly contracts: readonly (new () => object)[];
}

/**
 * Serves the contracts of an entry until SIGTERM or SIGINT; `load` imports it. What fails is told
 * on the error stream and in the exit code.
 */
export async function runService(load: () => Promise<Entry>): Promise<void> {
  const options = readOptions(process.env);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  try {
    await serveUntilStopped(load, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Cannot serve the chaincode: ${reason}\n`);
    process.exitCode = EXIT_UNAVAILABLE;
  }
}

async function serveUntilStopped(load: () => Promise<Entry>, options: ServeOptions): Promise<void> {
  // Everything is loaded late: fabric-shim reads its log level when it is loaded.
  process.env.CORE_CHAINCODE_LOGGING_LEVEL ??= 'error';
  const { serve } = await import('./serve.ts');
  const { contracts } = await load();
  const service = await serve(contracts, options);
  process.stderr.write(`Serving ${options.chaincodeId} on ${options.address}.\n`);
  const stop = (): void => {
    process.stderr.write('Stopping.\n');
    void service.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function readOptions(env: NodeJS.ProcessEnv): ServeOptions | string {
  const address = env.CHAINCODE_SERVER_ADDRESS;
  const chaincodeId = env.CHAINCODE_ID ?? env.CORE_CHAINCODE_ID_NAME;
  if (!address || !chaincodeId) {
    return 'Set CHAINCODE_SERVER_ADDRESS (HOST:PORT) and CHAINCODE_ID (the package id).';
  }
  const { CHAINCODE_TLS_KEY: key, CHAINCODE_TLS_CERT: cert, CHAINCODE_CLIENT_CA_CERT: ca } = env;
  if (!key && !cert && !ca) {
    return { address, chaincodeId };
  }
  if (!key || !cert) {
    return 'Set CHAINCODE_TLS_KEY and CHAINCODE_TLS_CERT together (files in PEM).';
  }
  const tls = { key: readFileSync(key), cert: readFileSync(cert) };
  return {
    address,
    chaincodeId,
    tls: ca ? { ...tls, clientCa: readFileSync(ca) } : tls,
  };
}
