import { describe, expect, it } from '@jest/globals';
import { type ChainTip, checkBlock } from '../../../bridge/src/block/check.ts';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { type BuiltBlock, buildBlock, buildChain } from '../../support/blocks.ts';

const [genesis, first, second] = buildChain([[{ txId: 'a' }], [{ txId: 'b' }]]) as [
  BuiltBlock,
  BuiltBlock,
  BuiltBlock,
];
const tipOf = ({ number, hash }: BuiltBlock, from: ChainTip['from'] = 'stream'): ChainTip => ({
  number,
  hash,
  from,
});
const check = (block: BuiltBlock, tip: ChainTip | null): void =>
  checkBlock(decodeBlock(block.bytes), tip);
const refusal = (code: string) => expect.objectContaining({ code });

describe('checkBlock', () => {
  it('lets a chain through from its genesis', () => {
    check(genesis, null);
    check(first, tipOf(genesis));
    check(second, tipOf(first, 'topic'));
  });

  it('refuses data that does not match the data hash', () => {
    const spoiled = buildBlock({
      number: 0,
      previous: null,
      transactions: [{ txId: 'a' }],
      spoil: (block) => {
        const data = block.getData();
        const [entry] = data?.getDataList_asU8() ?? [];
        data?.setDataList([Buffer.from(entry ?? []).reverse()]);
      },
    });
    expect(() => check(spoiled, null)).toThrow(refusal('BLOCK_INVALID'));
  });

  it('refuses a block that was left out or comes again', () => {
    expect(() => check(second, tipOf(genesis))).toThrow(refusal('BLOCK_INVALID'));
    expect(() => check(first, tipOf(first))).toThrow(refusal('BLOCK_INVALID'));
    expect(() => check(first, null)).toThrow(refusal('BLOCK_INVALID'));
  });

  it('tells a lying stream from a topic that holds another chain', () => {
    const other = 'ff'.repeat(32);
    const broken = { ...tipOf(first), hash: other };
    expect(() => check(second, broken)).toThrow(refusal('BLOCK_INVALID'));
    expect(() => check(second, { ...broken, from: 'topic' })).toThrow(refusal('FORKED'));
  });
});
