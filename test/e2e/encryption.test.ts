/** What is published under keys: for those who have them as ever, for others closed and told so. */
import { createHash, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { common } from '@hyperledger/fabric-protos';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Settings } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  type World,
} from '../support/e2e-world.ts';
import { headerHash, type PlainRecord, readTopic } from '../support/independent.ts';

const TOPIC = 'shuttle.cleaned';
const KINDS = ['blocks', 'transactions', 'changes', 'events'];
const SECRET = 'nobody reads this';

const attestation = generateKeyPairSync('ed25519');
let world: World;

const folderOf = (name: string) => join(world.dir, name);
const keysOf = (folder: string, keyId?: string): Settings => ({
  SHUTTLE_PUBLISH__ENCRYPTION__KEYS: folderOf(folder),
  ...(keyId === undefined ? {} : { SHUTTLE_PUBLISH__ENCRYPTION__KEY_ID: keyId }),
});
const shuttle = (settings: Settings, ...args: readonly string[]) =>
  quietShuttle(world, args, {
    SHUTTLE_INGEST__TOPICS: TOPIC,
    SHUTTLE_INDEX__FILE: folderOf('index.db'),
    ...settings,
  });

/** Records with keys from..to-1 to the ledger, and their blocks to Kafka. */
async function carry(from: number, to: number, settings: Settings): Promise<void> {
  const messages = Array.from({ length: to - from }, (_, n) => ({
    key: `item/${from + n}`,
    value: (from + n) % 10 === 0 ? null : JSON.stringify({ n: from + n, note: SECRET }),
  }));
  await produceAll(world.kafka, TOPIC, messages);
  const { code, stderr } = await shuttle(settings, 'run', '--until-end');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** What a reader of Kafka sees who knows nothing of Shuttle. */
async function onTopics(prefix = 'shuttle'): Promise<Map<string, PlainRecord[]>> {
  const read = KINDS.map(
    async (kind) => [kind, await readTopic(world.kafka, `${prefix}.mychannel.${kind}`)] as const,
  );
  return new Map(await Promise.all(read));
}

beforeAll(async () => {
  world = await createWorld(6_967);
  for (const [folder, ids] of [
    ['first', ['k1']],
    ['both', ['k1', 'k2']],
  ] as const) {
    mkdirSync(folderOf(folder));
    for (const id of ids) {
      const key = keys.get(id) ?? '';
      writeFileSync(join(folderOf(folder), `${id}.key`), `${key}\n`, { mode: 0o600 });
    }
  }
  const pem = attestation.privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(folderOf('attest.pem'), pem, { mode: 0o600 });
  await createTopic(world.kafka, TOPIC, 2);
}, 10 * MINUTE_MS);

const keys = new Map(['k1', 'k2'].map((id) => [id, randomBytes(32).toString('hex')]));

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

jest.setTimeout(2 * MINUTE_MS);

const attested = (): Settings => ({ SHUTTLE_PUBLISH__ATTESTATION__KEY: folderOf('attest.pem') });

describe('a channel that is published under keys', () => {
  test('shows no document to who has none, on any topic, before and after a rotation', async () => {
    await carry(0, 40, { ...keysOf('first', 'k1'), ...attested() });
    await carry(40, 80, { ...keysOf('both', 'k2'), ...attested() });
    const topics = await onTopics();
    const all = KINDS.flatMap((kind) => topics.get(kind) ?? []);
    expect(topics.get('changes')?.length).toBe(80);
    for (const { value, headers } of all) {
      const key = headers.shuttle_encryption;
      expect(key === undefined).toBe(value === null);
      expect(Buffer.from(value ?? '').includes(SECRET)).toBe(false);
    }
    const used = new Set(all.flatMap(({ headers }) => headers.shuttle_encryption ?? []));
    expect(used).toEqual(new Set(['1:k1', '1:k2']));
    expect(topics.get('changes')?.filter(({ value }) => value === null)).toHaveLength(8);
  });

  test('is read by all commands with the keys', async () => {
    const consumed = await shuttle(keysOf('both'), 'consume', '--topic', 'changes', '--until-end');
    expect(consumed.code).toBe(0);
    const lines = consumed.stdout.split('\n').filter(Boolean);
    const documents = new Map(
      lines.map((line) => {
        const { key, value } = JSON.parse(line) as { key: string; value: unknown };
        return [key, value];
      }),
    );
    expect(documents.size).toBe(80);
    expect(documents.get('item/50')).toBeNull();
    expect(documents.get('item/51')).toEqual({ n: 51, note: SECRET });

    const indexed = await shuttle(keysOf('both'), 'index', '--until-end', '--json');
    expect(JSON.parse(indexed.stdout)).toMatchObject({ changes: 80, complete: true });
    const listed = await shuttle({}, 'list', 'item/7', '--json');
    expect(listed.stdout).toContain(SECRET);
    const tailed = await shuttle(keysOf('both'), 'tail', 'changes', '--last', '80');
    expect(tailed.stdout).toContain(SECRET);
    const reconciled = await shuttle(keysOf('both'), 'reconcile', '--source', TOPIC, '--json');
    expect({ code: reconciled.code, stderr: reconciled.stderr }).toEqual({ code: 0, stderr: '' });
    const verified = await shuttle(keysOf('both'), 'verify');
    expect({ code: verified.code, stdout: verified.stdout }).toMatchObject({ code: 0 });
  });

  test('tells which key is missing to every command that needs it', async () => {
    for (const args of [
      ['consume', '--topic', 'blocks', '--until-end'],
      ['tail', 'blocks', '--from-beginning'],
      ['index', '--until-end', '--rebuild'],
      ['reconcile', '--source', TOPIC],
      ['verify'],
    ]) {
      const { code, stderr } = await shuttle(keysOf('first'), ...args);
      expect({ args, code, stderr }).toEqual({
        args,
        code: 2,
        stderr: expect.stringMatching(/key k2, and there are k1\. \[KEY_UNKNOWN\]/),
      });
    }
    const { code, stderr } = await shuttle({}, 'consume', '--topic', 'events', '--until-end');
    expect([code, stderr]).toEqual([2, expect.stringContaining('no keys are configured')]);
  });

  test('is a header chain that anybody can verify, each block attested', async () => {
    const consumed = await shuttle(keysOf('both'), 'consume', '--topic', 'blocks', '--until-end');
    const blocks = consumed.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as BlockLine);
    const genesis = blocks[0]?.headers.shuttle_block_hash ?? '';
    let previous = '';
    for (const { headers, valueBase64 } of blocks) {
      const block = common.Block.deserializeBinary(Buffer.from(valueBase64, 'base64'));
      const header = block.getHeader();
      // What anybody has, and what the one with the key finds in the block.
      expect(headers.shuttle_data_hash).toBe(
        Buffer.from(header?.getDataHash_asU8() ?? '').toString('hex'),
      );
      expect(headers.shuttle_previous_hash).toBe(previous);
      expect(headerHash(block)).toBe(headers.shuttle_block_hash);
      previous = headers.shuttle_block_hash ?? '';
      const text = [
        'shuttle.attestation.1',
        'mychannel',
        genesis,
        headers.shuttle_block_number,
        previous,
        headers.shuttle_commit_hash ?? '-',
        '',
      ].join('\n');
      const signature = Buffer.from(headers.shuttle_attestation ?? '', 'base64');
      expect(verify(null, Buffer.from(text), attestation.publicKey, signature)).toBe(true);
      const der = attestation.publicKey.export({ type: 'spki', format: 'der' });
      expect(headers.shuttle_attestation_key).toBe(createHash('sha256').update(der).digest('hex'));
    }
    expect(blocks.length).toBeGreaterThan(4);
  });

  test('is the same, byte for byte, when it is published again with the same keys', async () => {
    for (const prefix of ['again', 'and-again']) {
      const settings = { ...keysOf('both', 'k2'), ...attested(), SHUTTLE_PUBLISH__PREFIX: prefix };
      expect((await shuttle(settings, 'publish', '--until-end')).code).toBe(0);
    }
    const [once, twice] = [await onTopics('again'), await onTopics('and-again')];
    const content = (records: readonly PlainRecord[] = []) =>
      records.map(({ key, value, headers }) => ({ key, value, headers }));
    for (const kind of KINDS) {
      expect(content(once.get(kind))).toEqual(content(twice.get(kind)));
    }
    // The blocks that were under this key at first, too.
    const first = (await onTopics()).get('blocks') ?? [];
    const rotated = first.findIndex(({ headers }) => headers.shuttle_encryption === '1:k2');
    expect(rotated).toBeGreaterThan(0);
    expect(content(once.get('blocks')?.slice(rotated, first.length))).toEqual(
      content(first.slice(rotated)),
    );
  });

  test('goes on without its old keys, and not with a key that is not there', async () => {
    const missing = await shuttle(keysOf('first', 'k2'), 'publish', '--until-end');
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('no file k2.key')]);
    const plain = await shuttle({}, 'publish', '--until-end');
    expect({ code: plain.code, stderr: plain.stderr }).toEqual({ code: 0, stderr: '' });
  });
});

interface BlockLine {
  readonly headers: Readonly<Record<string, string>>;
  readonly valueBase64: string;
}
