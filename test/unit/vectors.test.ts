/** The test vectors are honest chains, and say of themselves what is in them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { common } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import { createVerifier } from '../../bridge/src/verify/verifier.ts';
import { joinBlocks, splitBlocks } from '../support/block-file.ts';
import { headerHash } from '../support/independent.ts';
import type { Expected } from '../vectors/expected.ts';

describe.each(['raft', 'bft'])('the vectors of the %s profile', (profile) => {
  const folder = `test/vectors/${profile}`;
  const file = readFileSync(`${folder}/blocks.bin`);
  const expected = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as Expected;
  const blocks = splitBlocks(file);

  test('are blocks one after another, each where it is said to be', () => {
    expect(blocks).toHaveLength(expected.blocks.length);
    expect(joinBlocks(blocks)).toEqual(file);
    for (const [index, { offset, length }] of expected.blocks.entries()) {
      expect(file.subarray(offset, offset + length)).toEqual(blocks[index]);
    }
  });

  test('have the hashes that are said, each block upon the one before it', () => {
    let previous = '';
    for (const [index, bytes] of blocks.entries()) {
      const block = common.Block.deserializeBinary(bytes);
      const data = createHash('sha256');
      for (const entry of block.getData()?.getDataList_asU8() ?? []) data.update(entry);
      const said = expected.blocks[index];
      expect(said).toMatchObject({ number: index, previousHash: previous });
      expect([headerHash(block), data.digest('hex')]).toEqual([said?.headerHash, said?.dataHash]);
      previous = said?.headerHash ?? '';
    }
    expect(expected.genesisHash).toBe(expected.blocks[0]?.headerHash);
  });

  test('are proven without a finding, to the commit hashes that are said', () => {
    const { genesisHash, channel } = expected;
    const verifier = createVerifier({ genesisHash, channel });
    for (const [index, bytes] of blocks.entries()) {
      const { hash, commitHash, findings } = verifier.verify(bytes);
      const { headerHash: saidHash, commitHash: saidCommit } = expected.blocks[index] ?? {};
      expect([index, hash, commitHash, findings]).toEqual([index, saidHash, saidCommit, []]);
    }
  });

  test('hold no key', () => {
    expect(file.includes(`PRIVATE ${'KEY'}`)).toBe(false);
  });
});
