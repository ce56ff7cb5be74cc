/** The slots of a block's metadata, of which no header holds a hash. */
import { readFileSync } from 'node:fs';
import { common } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import { createVerifier } from '../../../bridge/src/verify/verifier.ts';
import { splitBlocks } from '../../support/block-file.ts';
import type { Expected } from '../../vectors/expected.ts';

/** The findings of a chain whose block `number` has this in a slot. */
function findingsWith(
  folder: string,
  number: number,
  slot: Uint8Array,
  at: number = common.BlockMetadataIndex.LAST_CONFIG,
): [string, number][] {
  const verifier = createVerifier({ genesisHash: null, channel: null });
  const blocks = splitBlocks(readFileSync(`${folder}/blocks.bin`)).slice(0, number + 1);
  return blocks.flatMap((bytes, index) => {
    const decoded = common.Block.deserializeBinary(bytes);
    const slots = decoded.getMetadata()?.getMetadataList_asU8() ?? [];
    slots[at] = slot;
    decoded.getMetadata()?.setMetadataList(slots);
    const report = verifier.verify(index === number ? decoded.serializeBinary() : bytes);
    return report.findings.map(({ code, block }): [string, number] => [code, Number(block)]);
  });
}

function slotOf(index: number): Uint8Array {
  const lastConfig = new common.LastConfig();
  lastConfig.setIndex(index);
  const metadata = new common.Metadata();
  metadata.setValue(lastConfig.serializeBinary());
  return metadata.serializeBinary();
}

describe.each(['raft', 'bft'])('in a channel of the %s profile', (profile) => {
  const folder = `test/vectors/${profile}`;
  const { blocks } = JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as Expected;
  const [, config = -1] = blocks.flatMap(({ isConfig, number }) => (isConfig ? [number] : []));

  test.each([
    ['the genesis block', 0, 0],
    ['a block behind it', 1, 0],
    ['a config block', config, config],
    ['a block behind a config block', config + 1, config],
  ])('%s names its last config, and nothing else passes', (_, number, named) => {
    expect(findingsWith(folder, number, slotOf(named))).toEqual([]);
    const wrong = ['LAST_CONFIG_WRONG', number];
    expect(findingsWith(folder, number, slotOf(named + 1))).toEqual([wrong]);
    const garbage = new Uint8Array([0xff, 0xff]);
    expect(findingsWith(folder, number, garbage)).toEqual([wrong]);
  });

  test.each([
    ['signatures', common.BlockMetadataIndex.SIGNATURES],
    ['the commit hash', common.BlockMetadataIndex.COMMIT_HASH],
  ])('a slot for %s that cannot be read is found, and the chain goes on behind it', (_, at) => {
    const found = findingsWith(folder, 5, new Uint8Array([0x0a, 0x7f, 1]), at);
    expect(found[0]).toEqual(['BLOCK_UNREADABLE', 5]);
    expect(found.every(([, block]) => block === 5)).toBe(true);
  });
});
