/** A schema registry over HTTP: what it says, and what becomes of what it does not. */
import { afterEach, describe, expect, it } from '@jest/globals';
import type { LogFields } from '../../../bridge/src/ports.ts';
import { createRegistry, REFERENCES_MAX } from '../../../bridge/src/registry/client.ts';
import { ANSWER_BYTES_MAX } from '../../../bridge/src/registry/http.ts';
import { systemClock } from '../../../bridge/src/system/clock.ts';
import {
  type StubRegistry,
  type StubSchema,
  startRegistry,
} from '../../support/schema-registry.ts';

let stub: StubRegistry | null = null;
afterEach(async () => {
  await stub?.close();
  stub = null;
});

interface Changes {
  readonly path?: string;
  readonly username?: string;
  readonly timeoutMs?: number;
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

async function open(held: Readonly<Record<string, StubSchema | string>>, changes: Changes = {}) {
  stub = await startRegistry(held);
  const told: string[] = [];
  const tell = (fields: LogFields, message: string) => {
    told.push(
      `${message} ${fields.code === undefined ? '' : JSON.stringify(fields.code).replaceAll('"', '')}`.trim(),
    );
  };
  const connection = {
    url: `${stub.url}${changes.path ?? ''}`,
    username: changes.username,
    password: changes.username === undefined ? undefined : 'secret',
    ca: undefined,
    timeoutMs: changes.timeoutMs ?? 5_000,
  };
  const registry = createRegistry(connection, {
    clock: { ...systemClock, sleep: async () => {} },
    log: { debug: tell, info: tell, warn: tell, error: tell },
    signal: changes.signal ?? new AbortController().signal,
    patienceMs: changes.patienceMs ?? Number.POSITIVE_INFINITY,
  });
  return { registry, stub, told };
}

describe('a schema', () => {
  it('is Avro unless the registry says otherwise', async () => {
    const { registry } = await open({
      '/schemas/ids/1': { schema: '"int"' },
      '/schemas/ids/2': { schema: '{}', schemaType: 'JSON' },
    });
    expect(await registry.find(1)).toEqual({ type: 'AVRO', text: '"int"', references: [] });
    expect(await registry.find(2)).toEqual({ type: 'JSON', text: '{}', references: [] });
  });

  it('that the registry does not have is null', async () => {
    const { registry, stub: asked } = await open({});
    expect(await registry.find(7)).toBeNull();
    expect(asked.asked).toEqual(['/schemas/ids/7']);
  });

  it('comes with those that it uses, each once and behind those that it uses itself', async () => {
    const reference = (name: string) => ({ name, subject: `s/${name}`, version: 2 });
    const { registry, stub: asked } = await open(
      {
        '/base/schemas/ids/1': { schema: '1', references: ['a', 'b'].map(reference) },
        '/base/subjects/s%2Fa/versions/2': { schema: 'A', references: [reference('b')] },
        '/base/subjects/s%2Fb/versions/2': { schema: 'B' },
      },
      { path: '/base/' },
    );
    const found = await registry.find(1);
    expect(found?.references).toEqual([
      { name: 'b', text: 'B' },
      { name: 'a', text: 'A' },
    ]);
    expect(asked.asked).toHaveLength(3);
  });

  it.each([
    ['one that is not there', { name: 'x', subject: 'gone', version: 1 }],
    ['itself, in a circle', { name: 'x', subject: 'circle', version: 1 }],
  ])('that uses %s is told, soon', async (_, reference) => {
    const { registry, stub: asked } = await open({
      '/schemas/ids/1': { schema: '1', references: [reference] },
      '/subjects/circle/versions/1': {
        schema: 'C',
        references: [{ name: 'x', subject: 'circle', version: 1 }],
      },
    });
    await expect(registry.find(1)).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' });
    expect(asked.asked.length).toBeLessThan(REFERENCES_MAX + 5);
  });
});

describe('a registry', () => {
  it('is asked as the user that is configured', async () => {
    const { registry, stub: asked } = await open(
      { '/schemas/ids/1': { schema: '"int"' } },
      { username: 'shuttle' },
    );
    asked.authorization = `Basic ${Buffer.from('shuttle:secret').toString('base64')}`;
    expect(await registry.find(1)).not.toBeNull();
    asked.authorization = 'Basic other';
    await expect(registry.find(1)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('refuses with status 401'),
    });
  });

  it('that is away for a while is waited for, and told once', async () => {
    const { registry, stub: asked, told } = await open({ '/schemas/ids/1': { schema: '"int"' } });
    asked.failures.push(500, 503, 429);
    expect(await registry.find(1)).toMatchObject({ text: '"int"' });
    expect(told).toEqual([
      'lost the schema registry, waiting REGISTRY_UNREACHABLE',
      'reached the schema registry again',
    ]);
  });

  it('that does not answer is asked again', async () => {
    const held = { '/schemas/ids/1': { schema: '"int"' } };
    const { registry, stub: asked } = await open(held, { timeoutMs: 100 });
    asked.failures.push(null);
    expect(await registry.find(1)).toMatchObject({ text: '"int"' });
    expect(asked.asked).toHaveLength(2);
  });

  it('is given up when there is no more patience, or a stop is asked for', async () => {
    const { registry, stub: asked } = await open({}, { patienceMs: 0 });
    asked.failures.push(500);
    await expect(registry.find(1)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    await asked.close();
    const stopped = await open({}, { signal: AbortSignal.abort() });
    stopped.stub.failures.push(500);
    await expect(stopped.registry.find(1)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  });

  it.each([
    ['something else', '<html>', 'REGISTRY_REFUSED'],
    ['more than a schema is', 'x'.repeat(ANSWER_BYTES_MAX + 1), 'REGISTRY_UNREACHABLE'],
  ])('that answers with %s is none', async (_, body, code) => {
    const { registry } = await open({ '/schemas/ids/1': body }, { patienceMs: 0 });
    await expect(registry.find(1)).rejects.toMatchObject({ code });
  });
});
