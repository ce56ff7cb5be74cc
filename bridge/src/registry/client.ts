/** Schemas of a registry, by their numbers. Source: Confluent Schema Registry, REST interface. */
import type { RegisteredSchema, SchemaSource } from '../clean/wire-schema.ts';
import { ShuttleError } from '../errors.ts';
import { backOffMs } from '../limits.ts';
import type { Clock, Log } from '../ports.ts';
import { type Answer, getJson, type RegistryConnection } from './http.ts';

export interface RegistryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the waiting, with the last error. */
  readonly signal: AbortSignal;
  /** How long one schema is waited for; Infinity: until the registry answers. */
  readonly patienceMs: number;
}

/** So many schemas that one schema uses are fetched; more is a circle, or no schema of people. */
export const REFERENCES_MAX = 100;

interface Told {
  readonly schema?: unknown;
  readonly schemaType?: unknown;
  readonly references?: unknown;
}

interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** `find` rejects with ShuttleError REGISTRY_UNREACHABLE or REGISTRY_REFUSED. */
export function createRegistry(
  connection: RegistryConnection,
  options: RegistryOptions,
): SchemaSource {
  const ask = (path: string) => patiently(() => fetchTold(connection, path), options);
  return {
    async find(id) {
      const told = await ask(`/schemas/ids/${id}`);
      return told === null ? null : await withReferences(told, ask);
    },
  };
}

/** Null when the registry does not have it. */
async function fetchTold(connection: RegistryConnection, path: string): Promise<Told | null> {
  const { status, body } = await getJson(connection, path);
  if (status === 404) {
    return null;
  }
  const told = status === 200 ? parsed(body) : null;
  if (told === null) {
    throw refused(connection, path, { status, body });
  }
  return told;
}

function parsed(body: string): Told | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** What a request may not, or what is no registry, stays so; a server's own fault passes. */
function refused({ url }: RegistryConnection, path: string, { status }: Answer): ShuttleError {
  const { host } = new URL(url);
  const at = { path, status: String(status) };
  if (status >= 500 || status === 429 || status === 408) {
    const sentence = `The schema registry at ${host} cannot answer now.`;
    return new ShuttleError('REGISTRY_UNREACHABLE', sentence, { at });
  }
  const what = status === 200 ? 'gives no schema' : `refuses with status ${status}`;
  return new ShuttleError('REGISTRY_REFUSED', `The schema registry at ${host} ${what}.`, { at });
}

async function withReferences(
  told: Told,
  ask: (path: string) => Promise<Told | null>,
): Promise<RegisteredSchema> {
  const found = new Map<string, { name: string; text: string }>();
  const add = async (each: Told, depth: number): Promise<void> => {
    for (const { name, subject, version } of referencesOf(each)) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      if (!found.has(path)) {
        const inner =
          depth < REFERENCES_MAX && found.size < REFERENCES_MAX ? await ask(path) : null;
        if (inner === null) {
          const sentence = `A schema uses version ${version} of ${subject}, which is not there.`;
          throw new ShuttleError('REGISTRY_REFUSED', sentence, { at: { path } });
        }
        await add(inner, depth + 1);
        found.set(path, { name, text: String(inner.schema) });
      }
    }
  };
  await add(told, 0);
  const { schema, schemaType = 'AVRO' } = told;
  return { type: String(schemaType), text: String(schema), references: [...found.values()] };
}

function referencesOf({ references }: Told): readonly Reference[] {
  return Array.isArray(references) ? (references as Reference[]) : [];
}

/** Tells an outage once, and its end. */
async function patiently<T>(call: () => Promise<T>, options: RegistryOptions): Promise<T> {
  const { clock, log, signal, patienceMs } = options;
  const startMs = clock.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await call();
      if (attempt > 1) {
        const fields = { attempt, duration_ms: clock.now() - startMs };
        log.info(fields, 'reached the schema registry again');
      }
      return result;
    } catch (error) {
      const passes = error instanceof ShuttleError && error.kind.retry === 'later';
      if (!passes || signal.aborted || clock.now() - startMs >= patienceMs) {
        throw error;
      }
      if (attempt === 1) {
        const fields = { code: error.code, err: error.message };
        log.warn(fields, 'lost the schema registry, waiting');
      }
      await clock.sleep(backOffMs(attempt, clock.random()), signal);
    }
  }
}
