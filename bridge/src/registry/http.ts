/** One GET of a schema registry: bounded in time and size, with an authority of its own. */
import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getOverTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { ShuttleError } from '../errors.ts';

export interface RegistryConnection {
  /** http:// or https://, with the path that the registry is at. */
  readonly url: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** PEM; undefined trusts the system's authorities. */
  readonly ca: Buffer | undefined;
  /** For one request. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A schema in an answer that is larger is none that somebody wrote. */
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/**
 * @param path - behind the registry's own
 * @throws ShuttleError REGISTRY_UNREACHABLE
 */
export async function getJson(connection: RegistryConnection, path: string): Promise<Answer> {
  const url = new URL(`${connection.url.replace(/\/+$/, '')}${path}`);
  try {
    const message = await request(url, connection);
    return { status: message.statusCode ?? 0, body: await text(bounded(message)) };
  } catch (cause) {
    const sentence = `The schema registry at ${url.host} does not answer.`;
    throw new ShuttleError('REGISTRY_UNREACHABLE', sentence, { cause, at: { path } });
  }
}

function request(url: URL, connection: RegistryConnection): Promise<IncomingMessage> {
  const { username, password = '', ca, timeoutMs } = connection;
  const get = url.protocol === 'https:' ? getOverTls : getPlain;
  return new Promise((resolve, reject) => {
    const options = {
      headers: { accept: 'application/vnd.schemaregistry.v1+json, application/json' },
      // From the start to the last byte; an idle time-out would let a slow answer go on for ever.
      signal: AbortSignal.timeout(timeoutMs),
      ...(username === undefined ? {} : { auth: `${username}:${password}` }),
      ...(ca === undefined ? {} : { ca }),
    };
    get(url, options, resolve).on('error', reject);
  });
}

async function* bounded(message: IncomingMessage): AsyncIterable<Buffer> {
  let length = 0;
  for await (const chunk of message) {
    length += (chunk as Buffer).length;
    if (length > ANSWER_BYTES_MAX) {
      throw new Error(`The answer has more than ${ANSWER_BYTES_MAX} bytes.`);
    }
    yield chunk as Buffer;
  }
}
