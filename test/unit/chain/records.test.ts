/** What the records of the blocks topic prove beside the blocks in them. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { attestationKeyId, createAttester } from '../../../bridge/src/block/attestation.ts';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { blockRecords } from '../../../bridge/src/block/records.ts';
import { topicNames } from '../../../bridge/src/block/topics.ts';
import type { BlockSource } from '../../../bridge/src/chain/source.ts';
import { type ChainOptions, verifyChain } from '../../../bridge/src/chain/verify.ts';
import type { RecordHeader } from '../../../bridge/src/values.ts';
import { splitBlocks } from '../../support/block-file.ts';
import type { Expected } from '../../vectors/expected.ts';

const FOLDER = 'test/vectors/raft';
const chain = splitBlocks(readFileSync(`${FOLDER}/blocks.bin`));
const { genesisHash, channel } = JSON.parse(
  readFileSync(`${FOLDER}/expected.json`, 'utf8'),
) as Expected;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const attest = createAttester(privateKey);
const attestedBy = new Map([[attestationKeyId(publicKey), publicKey]]);

interface Carried {
  readonly bytes: Uint8Array;
  readonly headers: readonly RecordHeader[];
}

/** The records of the blocks topic, as the publisher makes them. */
const records: readonly Carried[] = chain.map((bytes) => {
  const made = blockRecords(decodeBlock(bytes), {
    channel,
    chaincode: 'shuttle',
    topics: topicNames('test', channel),
    outputs: [],
    attest: ({ header: { number }, hash, commitHash }) =>
      attest({ channel, genesisHash, number, hash, commitHash }),
  });
  const headers = (made.records[0]?.headers ?? []).map(({ name, value }) => ({
    name,
    value: value === null ? null : Buffer.from(value as string),
  }));
  return { bytes, headers };
});

const withHeader = ({ bytes, headers }: Carried, name: string, value: string): Carried => ({
  bytes,
  headers: headers.map((each) => (each.name === name ? { name, value: Buffer.from(value) } : each)),
});

function verify(carried: readonly Carried[], options: Partial<ChainOptions>) {
  const source: BlockSource = {
    kind: 'topic',
    name: 'topic test',
    isWhole: true,
    async *blocks() {
      for (const [index, each] of carried.entries()) {
        yield { ...each, done: index + 1, total: carried.length };
      }
    },
    close: async () => {},
  };
  const common = { height: null, peers: [], toldMax: 10, onProgress: () => {} };
  const { signal } = new AbortController();
  return verifyChain(source, { genesisHash, channel, ...common, ...options }, signal);
}

const codes = ({ findings }: Awaited<ReturnType<typeof verify>>) =>
  findings.map(({ code, block }) => `${code} ${block}`);

describe('without the key to encrypted blocks', () => {
  const unread: readonly Carried[] = records.map(({ headers }) => ({
    bytes: Buffer.from('sealed'),
    headers,
  }));

  test('the header chain is proven, and what is in the blocks is said not to be', async () => {
    const summary = await verify(unread, { headersOnly: true });
    expect(codes(summary)).toEqual([]);
    expect(summary.blocks).toEqual({ verified: 0, unverifiable: chain.length, failed: 0 });
    expect(summary.doubts).toMatchObject({ VALUE_UNREAD: { count: chain.length } });
    expect(summary.last?.number).toBe(BigInt(chain.length - 1));
  });

  test('a block left out, moved, renamed or of another chain is found', async () => {
    const headersOnly = true;
    const other = '00'.repeat(32);
    const cases: [readonly Carried[], string][] = [
      [unread.toSpliced(5, 1), 'NUMBER_WRONG 6'],
      [unread.toSpliced(5, 0, unread[5] as Carried), 'NUMBER_WRONG 5'],
      [
        unread.with(5, withHeader(unread[5] as Carried, 'shuttle_data_hash', other)),
        'BLOCK_UNREADABLE 5',
      ],
      [unread.with(5, { bytes: new Uint8Array(), headers: [] }), 'BLOCK_UNREADABLE 5'],
    ];
    for (const [carried, first] of cases) {
      expect(codes(await verify(carried, { headersOnly }))[0]).toBe(first);
    }
    const foreign = await verify(unread, { headersOnly, genesisHash: other });
    expect(codes(foreign)[0]).toBe('GENESIS_WRONG 0');
  });
});

describe('an attestation', () => {
  test('of every block by a key that was given is no doubt', async () => {
    const summary = await verify(records, { attestedBy });
    expect(codes(summary)).toEqual([]);
    expect(summary.doubts).not.toHaveProperty('NOT_ATTESTED');
  });

  test('holds the commit hash too, where only headers are read', async () => {
    const other = withHeader(records[7] as Carried, 'shuttle_commit_hash', '11'.repeat(32));
    const summary = await verify(records.with(7, other), { attestedBy, headersOnly: true });
    expect(codes(summary)).toEqual(['ATTESTATION_WRONG 7']);
  });

  test('that was taken from another block is found', async () => {
    const other = { bytes: records[7]?.bytes as Uint8Array, headers: records[6]?.headers ?? [] };
    const summary = await verify(records.with(7, other), { attestedBy });
    expect(codes(summary)).toEqual(['ATTESTATION_WRONG 7']);
  });

  test('that is absent, or of a key that was not given, is a doubt', async () => {
    const bare = records.map(({ bytes }) => ({ bytes, headers: [] }));
    const none = await verify(bare, { attestedBy });
    expect([codes(none), none.doubts.NOT_ATTESTED?.count]).toEqual([[], chain.length]);
    const stranger = await verify(records, { attestedBy: new Map() });
    expect(stranger.doubts.NOT_ATTESTED?.count).toBe(chain.length);
  });
});
