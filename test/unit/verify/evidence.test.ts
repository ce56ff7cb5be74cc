import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { collectEvidence } from '../../../bridge/src/chain/collect.ts';
import { readBlock } from '../../../bridge/src/verify/block-bytes.ts';
import { type EvidenceReport, verifyEvidence } from '../../../bridge/src/verify/evidence.ts';
import { EvidenceCollector, type Wanted } from '../../../bridge/src/verify/evidence-collector.ts';
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
} from '../../../bridge/src/verify/evidence-file.ts';
import { buildChain } from '../../support/blocks.ts';
import { memorySource } from '../../support/chain-sources.ts';
import { flipped, recoded, SMALL_GENESIS, smallChain } from '../../support/chain-vectors.ts';

const KEY = 'naive/46448aaf/2';
const TX_ID = 'ce50b1db7094da04fa43963ee9aeaeaa7c430389b6106cf6bad217629ec6c6db';

let chain: readonly Uint8Array[];
let evidence: Evidence;
let honest: EvidenceReport;

async function collect(
  wanted: Wanted,
  blocks = chain,
  genesisHash: string | null = SMALL_GENESIS,
): Promise<Evidence> {
  const options = { wanted, channel: 'mychannel', chaincode: 'shuttle', genesisHash };
  const found = await collectEvidence(
    memorySource(blocks),
    { ...options, onProgress: () => {} },
    new AbortController().signal,
  );
  return found as Evidence;
}

const check = (changed: Partial<Evidence>, genesisHash: string | null = SMALL_GENESIS) =>
  verifyEvidence(encodeEvidence({ ...evidence, ...changed }), { genesisHash });

const codes = ({ findings }: EvidenceReport) => findings.map(({ code }) => code);

beforeAll(async () => {
  chain = await smallChain();
  evidence = await collect({ kind: 'key', key: KEY });
  honest = check({});
});

describe('evidence of a document', () => {
  test('proves it from the genesis hash alone', () => {
    expect(honest).toMatchObject({
      verdict: 'verified',
      findings: [],
      proven: {
        key: KEY,
        block: 3n,
        transaction: 0,
        txId: TX_ID,
        genesisHash: SMALL_GENESIS,
        creatorMspId: 'Org1MSP',
        endorserMspIds: ['Org1MSP', 'Org2MSP'],
      },
    });
    expect(Buffer.from(honest.proven?.value ?? '').toString()).toContain('"d":{"n":2,');
  });

  test('says what no evidence can prove', () => {
    expect(honest.doubts.map(({ code }) => code)).toEqual(['CODE_UNSIGNED', 'LATER_DEFINITION']);
    expect(check({}, null).doubts.map(({ code }) => code)).toContain('GENESIS_NOT_PINNED');
  });

  test('is as long as three blocks and 32 bytes a block', () => {
    const { configs, definitions, block, dataHashes } = evidence;
    expect([configs.length, definitions.length]).toEqual([1, 1]);
    expect(dataHashes.length).toBe(32 * 4);
    expect(Buffer.compare(block, chain[3] ?? new Uint8Array())).toBe(0);
  });

  test('is written and read as one text', () => {
    const text = encodeEvidence(evidence);
    expect(encodeEvidence(decodeEvidence(text))).toBe(text);
  });

  test('is of the last valid version, and of no other key of the same bytes', () => {
    const write = (key: string, code = 0, chaincode = 'shuttle') => ({
      chaincode,
      writes: { [chaincode]: [{ key, value: '1' }] },
      code,
    });
    const blocks = buildChain([
      [write('k'), write('k/2')],
      [write('other'), write('k')],
      [write('k', 11), write('k/2'), write('k', 0, 'another')],
    ]);
    const collector = new EvidenceCollector('shuttle', { kind: 'key', key: 'k' });
    for (const { bytes } of blocks) {
      collector.take(bytes);
    }
    const found = collector.evidence('mychannel', blocks[0]?.hash ?? '');
    expect(found).toMatchObject({ transaction: 1, dataHashes: { length: 3 * 32 } });
    expect(found?.block).toEqual(Uint8Array.from(blocks[2]?.bytes ?? []));
  });

  test('of a transaction is found by its id', async () => {
    const found = await collect({ kind: 'transaction', txId: TX_ID });
    const report = verifyEvidence(encodeEvidence(found), { genesisHash: SMALL_GENESIS });
    expect(report).toMatchObject({ verdict: 'verified', proven: { txId: TX_ID, key: null } });
  });

  test('is refused where there is none, or where something stands in its way', async () => {
    await expect(collect({ kind: 'key', key: 'no such key' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const wrong = chain.map((block, number) => (number === 2 ? flipped(block, 400) : block));
    const wanted = { kind: 'key', key: KEY } as const;
    await expect(collect(wanted, wrong)).rejects.toMatchObject({
      code: 'CHAIN_BROKEN',
      at: { block_number: 2n },
    });
    await expect(collect(wanted, chain.slice(1), null)).rejects.toMatchObject({
      code: 'CHAIN_BROKEN',
    });
    await expect(collect(wanted, chain, 'ab'.repeat(32))).rejects.toThrow('GENESIS_WRONG');
  });
});

/** Which bytes of a block no evidence can prove: other codes, commit hash, block 0's metadata. */
function unsignedBytes(block: Uint8Array, own: readonly number[]): ReadonlySet<number> {
  const { metadata, header } = readBlock(block);
  const found = new Set<number>();
  metadata.forEach((slot, index) => {
    for (let at = 0; at < slot.length; at += 1) {
      const isCode = index === 2 && !own.includes(at);
      if (isCode || index === 4 || header.number === 0n) {
        found.add(slot.byteOffset - block.byteOffset + at);
      }
    }
  });
  return found;
}

/** Header, metadata and what stands around the transactions: little beside them. */
function frameOf(block: Uint8Array): number[] {
  const { entries } = readBlock(block);
  const within = (at: number): boolean =>
    entries.some(({ byteOffset, length }) => {
      const start = byteOffset - block.byteOffset;
      return at >= start + 4 && at < start + length;
    });
  return [...block.keys()].filter((at) => !within(at));
}

describe('evidence that was altered', () => {
  test('anywhere in its blocks is found, but for what nobody signs, which changes nothing', () => {
    const parts = [
      { of: (bytes: Uint8Array) => ({ configs: [bytes] }), block: evidence.configs[0], own: [] },
      {
        of: (bytes: Uint8Array) => ({ definitions: [bytes] }),
        block: evidence.definitions[0],
        own: [0],
      },
      { of: (bytes: Uint8Array) => ({ block: bytes }), block: evidence.block, own: [0] },
    ];
    for (const { of, block = new Uint8Array(), own } of parts) {
      const unsigned = unsignedBytes(block, own);
      const place = fc.oneof(fc.nat(block.length - 1), fc.constantFrom(...frameOf(block)));
      fc.assert(
        fc.property(place, fc.integer({ min: 1, max: 255 }), (at, mask) => {
          const bytes = Uint8Array.from(block);
          bytes[at] = (bytes[at] ?? 0) ^ mask;
          const report = check(of(bytes));
          if (report.verdict === 'verified') {
            expect(unsigned.has(at)).toBe(true);
            expect(report.proven).toEqual(honest.proven);
          }
        }),
        { numRuns: 40 },
      );
    }
  });

  test('in any hash of its headers is found', () => {
    fc.assert(
      fc.property(fc.nat(evidence.dataHashes.length - 1), (at) => {
        expect(codes(check({ dataHashes: flipped(evidence.dataHashes, at) }))).toContain(
          'PREVIOUS_HASH_WRONG',
        );
      }),
      { numRuns: 15 },
    );
  });

  test.each([
    ['another channel', () => ({ channel: 'other' }), 'CHANNEL_WRONG'],
    ['another chaincode', () => ({ chaincode: 'other' }), 'KEY_NOT_WRITTEN'],
    ['another genesis hash', () => ({ genesisHash: 'ab'.repeat(32) }), 'GENESIS_WRONG'],
    ['another key', () => ({ key: 'other' }), 'KEY_NOT_WRITTEN'],
    ['another transaction', () => ({ transaction: 1 }), 'KEY_NOT_WRITTEN'],
    ['a transaction that is not there', () => ({ transaction: 8 }), 'EVIDENCE_UNREADABLE'],
    ['no config', () => ({ configs: [] }), 'EVIDENCE_UNREADABLE'],
    ['a config twice', () => twice('configs'), 'EVIDENCE_UNREADABLE'],
    ['a definition twice', () => twice('definitions'), 'EVIDENCE_UNREADABLE'],
    [
      'one header less',
      () => ({ dataHashes: evidence.dataHashes.subarray(32) }),
      'EVIDENCE_UNREADABLE',
    ],
    [
      'another block at the end',
      () => ({ block: chain[2] ?? evidence.block }),
      'EVIDENCE_UNREADABLE',
    ],
    [
      'an approval as a definition',
      () => ({ definitions: [chain[1] ?? evidence.block] }),
      'EVIDENCE_UNREADABLE',
    ],
    [
      'a record as a config',
      () => ({ configs: [...evidence.configs, chain[2] ?? evidence.block] }),
      'EVIDENCE_UNREADABLE',
    ],
  ])('to have %s is found', (_, change, code) => {
    const report = check(change());
    expect(report).toMatchObject({ verdict: 'failed', proven: null });
    expect(codes(report)).toContain(code);
  });

  test('to lack the definition of its chaincode proves nothing', () => {
    const report = check({ definitions: [] });
    expect(report.verdict).toBe('unverifiable');
    expect(report.doubts.map(({ code }) => code)).toContain('CHAINCODE_UNKNOWN');
  });

  test('to be of a transaction without effect is found', () => {
    const block = recoded(evidence.block, 0, 11, Buffer.alloc(32));
    expect(codes(check({ block }))).toContain('TRANSACTION_INVALID');
  });

  test('to have another number of codes is found, also where no code matters', () => {
    const genesis = chain[0] ?? new Uint8Array();
    const slot = readBlock(genesis).metadata[2];
    const at = (slot?.byteOffset ?? 0) - genesis.byteOffset - 1;
    expect(genesis[at]).toBe(1);
    const longer = Uint8Array.from(genesis);
    longer[at] = 3;
    expect(codes(check({ configs: [longer] }))).toContain('CODE_WRONG');
  });

  test('with a pin of another chain is found', () => {
    expect(codes(check({}, 'ab'.repeat(32)))).toEqual(['GENESIS_WRONG']);
  });

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['another format', '{"format":"x"}'],
    ['another version', '{"format":"shuttle-evidence","version":2}'],
  ])('to be %s is refused', (_, text) => {
    expect(codes(verifyEvidence(text, { genesisHash: null }))).toEqual(['EVIDENCE_UNREADABLE']);
  });

  test('in how it is written is refused, so that one evidence is one text', () => {
    const text = encodeEvidence(evidence);
    for (const other of [
      text.replace('{', '{"more":1,'),
      text.replace('"version":1', '"version": 1'),
      text.replace('"key":', '"key":"x","key":'),
      text.replace('"configs":["', '"configs":["AA"," '),
      text.replace('"transaction":0', '"transaction":-1'),
      text.replace('"transaction":0', '"transaction":"0"'),
    ]) {
      const report = verifyEvidence(other, { genesisHash: SMALL_GENESIS });
      expect(codes(report)).toEqual(['EVIDENCE_UNREADABLE']);
    }
  });
});

function twice(name: 'configs' | 'definitions'): Partial<Evidence> {
  return { [name]: [...evidence[name], ...evidence[name]] };
}
