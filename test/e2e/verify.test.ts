/** Blocks of a real channel, proven by whoever reads them: topic, archive, peers, evidence. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readArchive } from '../../bridge/src/block/blocks-file.ts';
import { decodeBlock } from '../../bridge/src/block/decode.ts';
import { runShuttle } from '../support/cli.ts';
import {
  createTopic,
  createWorld,
  jsonShuttle,
  MINUTE_MS,
  produceAll,
  quietShuttle,
  type World,
} from '../support/e2e-world.ts';

const RECORDS = 400;
const TOPIC = 'shuttle.cleaned';
const KEY = 'crate/7';

let world: World;
let archive: string;
let genesis: string;
let height: string;

const shuttle = (...args: readonly string[]) => quietShuttle(world, args);
const json = (...args: readonly string[]) => jsonShuttle(world, args);

beforeAll(async () => {
  world = await createWorld(21_450);
  await createTopic(world.kafka, TOPIC, 2);
  const messages = Array.from({ length: RECORDS }, (_, n) => ({
    key: `crate/${n % 50}`,
    value: JSON.stringify({ n, weight: 1e20 }),
  }));
  await produceAll(world.kafka, TOPIC, messages);
  for (const pipeline of ['ingest', 'publish']) {
    expect(await shuttle(pipeline, '--until-end')).toMatchObject({ code: 0 });
  }
  archive = join(world.dir, 'all.blocks');
}, 10 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
}, 2 * MINUTE_MS);

jest.setTimeout(2 * MINUTE_MS);

describe('the blocks of a channel', () => {
  test('are exported from topic and peer, to the same hashes', async () => {
    const summary = await json('export', archive);
    genesis = summary.first.hash;
    height = summary.last.number;
    expect(summary).toMatchObject({ code: 0, first: { number: '0' }, isComplete: true });
    const { first, last, blocks } = await json('export', 'peer.blocks', '--source', 'peer');
    expect({ first, last, blocks }).toMatchObject({
      first: summary.first,
      last: summary.last,
      blocks: summary.blocks,
    });
    const piece = await json('export', 'piece.blocks', '--blocks', '2..3');
    expect(piece).toMatchObject({ blocks: 2, first: { number: '2' }, last: { number: '3' } });
    expect(await shuttle('export', 'x.blocks', '--blocks', '0..99999')).toMatchObject({ code: 1 });
  });

  test('are proven on the topic, in the archive and on the peer, to the same hashes', async () => {
    const pin = ['--genesis', genesis, '--height', height, '--strict'];
    const topic = await json('verify', ...pin);
    const file = await json('verify', '--file', archive, ...pin);
    const peer = await json('verify', '--source', 'peer', ...pin);
    for (const summary of [topic, file, peer]) {
      expect(summary).toMatchObject({ code: 0, findings: [], doubts: {}, genesisHash: genesis });
      expect(summary.proven).toEqual(topic.proven);
      expect(summary.blocks).toEqual(topic.blocks);
    }
    expect(topic.proven.number).toBe(height);
  });

  test('are what the peer of another organisation has committed, too', async () => {
    const { peers, dir } = world.network.description;
    const other = peers.find(({ mspId }) => mspId === 'Org2MSP');
    const profile = join(
      dir,
      'organizations/peerOrganizations/org2.example.com/connection-org2.yaml',
    );
    const address = `${other?.endpoint}=${other?.tlsCaFile}`;
    const summary = await json('verify', '--peer', address, '--peer', profile);
    const same = { endpoint: other?.endpoint, comparedTo: height, finding: null, error: null };
    expect(summary).toMatchObject({ code: 0, peers: [same, same] });
  });

  test('are said not to be compared where a peer does not answer', async () => {
    const silent = await shuttle('verify', '--peer', 'localhost:1');
    expect(silent).toMatchObject({
      code: 3,
      stdout: expect.stringContaining('FABRIC_UNREACHABLE'),
    });
  });

  test('with one byte flipped in the archive are wrong at the block that holds it', async () => {
    const bytes = await readFile(archive);
    const wanted = BigInt(height) - 1n;
    const target = (await blocksOf(bytes)).find(
      (block) => decodeBlock(block).header.number === wanted,
    );
    const { entries } = decodeBlock(target ?? new Uint8Array());
    const at = bytes.indexOf(entries[0]?.subarray(0, 200) ?? '') + 150;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const path = join(world.dir, 'flipped.blocks');
    await writeFile(path, bytes);
    const summary = await json('verify', '--file', path, '--genesis', genesis);
    expect(summary.code).toBe(1);
    expect(summary.findings[0]).toMatchObject({ block: String(wanted) });
    expect(summary.proven.number).toBe(String(wanted - 1n));
    const { code, stdout } = await shuttle('verify', '--file', path);
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`^block ${wanted}, .*DATA_HASH_WRONG`));
  });

  test('give evidence of a document that is checked with nothing else at hand', async () => {
    const proof = join(world.dir, 'crate.proof');
    const { txId } = await json('proof', KEY, '--out', proof);
    const empty = await mkdtemp(join(tmpdir(), 'shuttle-alone-'));
    const alone = (...args: readonly string[]) => runShuttle(args, {}, empty);
    const args = ['verify', '--proof', proof, '--genesis', genesis];
    const { code, stdout, stderr } = await alone(...args, '--out', 'crate.json', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'verified',
      proven: { key: KEY, txId, endorserMspIds: ['Org1MSP', 'Org2MSP'] },
    });
    const document = await shuttle('getData', KEY);
    expect(await readFile(join(empty, 'crate.json'))).toEqual(document.bytes);
    const text = await readFile(proof, 'utf8');
    await writeFile(join(empty, 'altered.proof'), text.replace(KEY, 'crate/8'));
    const other = await alone('verify', '--proof', 'altered.proof', '--genesis', 'ab'.repeat(32));
    expect(other).toMatchObject({ code: 1, stdout: expect.stringContaining('GENESIS_WRONG') });
    await rm(empty, { recursive: true });
  });

  test('are proven on with the genesis that was trusted first', async () => {
    expect(await shuttle('verify', '--trust', 'trust.json')).toMatchObject({ code: 0 });
    expect(await json('verify', '--trust', 'trust.json')).toMatchObject({
      code: 0,
      trust: { kind: 'stored', genesisHash: genesis },
      doubts: {},
    });
  });
});

async function blocksOf(bytes: Uint8Array): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  for await (const block of readArchive(chunks())) {
    blocks.push(block);
  }
  return blocks;
}
