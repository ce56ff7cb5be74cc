/** The header chain for those who have no key. */
import { describe, expect, it } from '@jest/globals';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { createEncryptor } from '../../../bridge/src/block/encryption.ts';
import { publishedHeader } from '../../../bridge/src/block/published-header.ts';
import { blockRecords } from '../../../bridge/src/block/records.ts';
import { topicNames } from '../../../bridge/src/block/topics.ts';
import type { OutputHeader } from '../../../bridge/src/values.ts';
import { buildChain, CHAINCODE, CHANNEL } from '../../support/blocks.ts';

const topics = topicNames('shuttle', CHANNEL);
const encrypt = createEncryptor(CHANNEL, 'k1', Buffer.alloc(32, 1));
const chain = buildChain([[{ txId: 'a' }], [{ txId: 'b' }]]);
const published = chain.map(({ bytes }) => {
  const options = { channel: CHANNEL, chaincode: CHAINCODE, topics, outputs: [], encrypt };
  return blockRecords(decodeBlock(bytes), options).records[0]?.headers ?? [];
});

describe('the headers of a blocks record', () => {
  it('are the whole header of the block, and chain without its value', () => {
    let previous = '';
    for (const [number, headers] of published.entries()) {
      const found = publishedHeader(headers);
      const block = decodeBlock(chain[number]?.bytes ?? new Uint8Array());
      expect(found.hash).toBe(block.hash);
      expect(found.header.number).toBe(BigInt(number));
      expect(Buffer.from(found.header.previousHash).toString('hex')).toBe(previous);
      expect(found.commitHash).toBe(block.commitHash);
      previous = found.hash;
    }
    expect(published).toHaveLength(3);
  });

  it.each([
    'shuttle_block_number',
    'shuttle_previous_hash',
    'shuttle_data_hash',
    'shuttle_block_hash',
  ])('are refused with another %s, or without it', (name) => {
    const headers = published[1] ?? [];
    const without = headers.filter((header) => header.name !== name);
    const refusal = expect.objectContaining({ code: 'BLOCK_INVALID' });
    const check = (others: readonly OutputHeader[]) => () => publishedHeader(others);
    expect(check(without)).toThrow(refusal);
    for (const value of ['7', 'ab'.repeat(32), 'AB', 'x', null]) {
      expect(check([{ name, value }, ...without])).toThrow(refusal);
    }
  });
});
