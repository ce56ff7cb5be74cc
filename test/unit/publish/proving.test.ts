/** A block that is not proven right is never published, whoever publishes and since when. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { CHECKPOINT_HEADER, VERDICT_HEADER } from '../../../bridge/src/block/topics.ts';
import type { BlockPosition } from '../../../bridge/src/ports.ts';
import { openProving, type ProveBlock } from '../../../bridge/src/publish/proving.ts';
import { splitBlocks } from '../../support/block-file.ts';
import { createTestLog } from '../../support/fakes.ts';
import { blockAt, changed, flipped, setEntries, slotOf } from '../../support/tampering.ts';
import type { Expected } from '../../vectors/expected.ts';

const FOLDER = 'test/vectors/raft';
const chain = splitBlocks(readFileSync(`${FOLDER}/blocks.bin`));
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Expected;
const { genesisHash, channel } = expected;

const ledgerOf = (blocks: readonly Uint8Array[]) => ({
  async *blocks(from: bigint) {
    yield* blocks.slice(Number(from));
  },
});

function open(last: BlockPosition | null, blocks: readonly Uint8Array[] = chain) {
  const { signal } = new AbortController();
  return openProving(ledgerOf(blocks), { genesisHash, channel }, last, createTestLog(), signal);
}

/** What the headers of the block's record say. */
function told(prove: ProveBlock, bytes: Uint8Array): ReadonlyMap<string, string> {
  return new Map(prove(bytes).map(({ name, value }) => [name, String(value)]));
}

/** The last record of a topic that holds the chain up to a block. */
function tailAt(number: number, checkpoint: string | undefined): BlockPosition {
  const { headerHash: hash = '', commitHash } = expected.blocks[number] ?? {};
  return {
    number: BigInt(number),
    hash,
    ...(commitHash ? { commitHash } : {}),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
}

describe('a publisher', () => {
  test('proves every block of an honest channel, and says of each how far', async () => {
    const prove = await open(null);
    const verdicts = chain.map((bytes) => told(prove, bytes).get(VERDICT_HEADER));
    expect(new Set(verdicts)).toEqual(new Set(['verified', 'unverifiable']));
    expect(verdicts.filter((verdict) => verdict === 'verified').length).toBeGreaterThan(25);
  });

  test('goes on from the checkpoint of any block, with no finding and no more doubt', async () => {
    const whole = await open(null);
    const all = chain.map((bytes) => told(whole, bytes));
    for (const at of chain.keys()) {
      const prove = await open(tailAt(at, all[at]?.get(CHECKPOINT_HEADER)));
      const rest = chain.slice(at + 1).map((bytes) => told(prove, bytes).get(VERDICT_HEADER));
      const before = all.slice(at + 1).map((headers) => headers.get(VERDICT_HEADER));
      // Who has not seen how keys got policies of their own cannot prove what they govern.
      const hasKeyPolicies = all[at]?.get(CHECKPOINT_HEADER)?.includes('"keyPolicies":true');
      expect([at, hasKeyPolicies === true ? [] : rest]).toEqual([
        at,
        hasKeyPolicies === true ? [] : before,
      ]);
    }
  });

  test('publishes no block that is not proven right, and names what is wrong', async () => {
    const prove = await open(null);
    for (const bytes of chain.slice(0, 9)) {
      prove(bytes);
    }
    const tampered = changed(chain, 9, (block) => {
      const [entry = new Uint8Array()] = block.getData()?.getDataList_asU8() ?? [];
      setEntries(block, [flipped(entry, entry.length >> 1)], true);
    })[9] as Uint8Array;
    expect(() => prove(tampered)).toThrow(
      expect.objectContaining({
        code: 'BLOCK_INVALID',
        at: expect.objectContaining({ block_number: 9n, finding: 'SIGNATURE_WRONG' }),
      }),
    );
  });

  test('does not go on by blocks that are not those that were proven', async () => {
    const whole = await open(null);
    const all = chain.map((bytes) => told(whole, bytes).get(CHECKPOINT_HEADER));
    const other = chain.map((bytes, at) => {
      const data = slotOf(blockAt(chain, at), 'signatures');
      const isConfig = expected.blocks[at]?.isConfig === true;
      return isConfig ? flipped(bytes, Math.floor(bytes.length / 2), data.length % 8) : bytes;
    });
    await expect(open(tailAt(10, all[10]), other)).rejects.toMatchObject({ code: 'BLOCK_INVALID' });
  });

  test('says of blocks behind a topic without checkpoints that they are not proven', async () => {
    const prove = await open(tailAt(8, undefined));
    expect(told(prove, chain[9] as Uint8Array).get(VERDICT_HEADER)).toBe('unverifiable');
    expect(told(prove, chain[10] as Uint8Array).has(CHECKPOINT_HEADER)).toBe(false);
  });
});
