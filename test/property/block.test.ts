import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkDataHash } from '../../bridge/src/block/check.ts';
import { decodeBlock } from '../../bridge/src/block/decode.ts';
import { blockRecords, OUTPUTS } from '../../bridge/src/block/records.ts';
import { topicNames } from '../../bridge/src/block/topics.ts';
import { ShuttleError } from '../../bridge/src/errors.ts';
import {
  batchTransaction,
  buildBlock,
  buildChain,
  CHAINCODE,
  CHANNEL,
  SOURCE,
} from '../support/blocks.ts';

const options = {
  channel: CHANNEL,
  chaincode: CHAINCODE,
  topics: topicNames('shuttle', CHANNEL),
  outputs: OUTPUTS,
};

/** Decodes, checks and cuts into records; only BLOCK_INVALID may come out of it. */
function publishable(bytes: Uint8Array): boolean {
  try {
    const block = decodeBlock(bytes);
    checkDataHash(block);
    blockRecords(block, options);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(ShuttleError);
    expect(error).toMatchObject({ code: 'BLOCK_INVALID' });
    return false;
  }
}

describe('a block from an untrusted peer', () => {
  it('is refused with BLOCK_INVALID, whatever bytes it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        publishable(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never yields other records of transactions when some bytes are changed', () => {
    const genesis = buildChain([]).at(-1) ?? null;
    const documents = { key: [[1n, '{"a":1}']] as [bigint, string][] };
    const transactions = [batchTransaction({ txId: 'tx', documents })];
    const { bytes } = buildBlock({ number: 1, previous: genesis, transactions });
    const original = decodeBlock(bytes);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const spoiled = Uint8Array.from(bytes);
        for (const [at, value] of changes) {
          spoiled[at] = value;
        }
        if (publishable(spoiled)) {
          const block = decodeBlock(spoiled);
          const same = Buffer.concat(block.entries).equals(Buffer.concat(original.entries));
          expect(same || block.hash !== original.hash).toBe(true);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('may hold any invalid transaction, which is published all the same', () => {
    const genesis = buildChain([]).at(-1) ?? null;
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 255 }),
        (entry, code) => {
          const { bytes } = buildBlock({
            number: 1,
            previous: genesis,
            transactions: [{ entry, code }],
          });
          const { records } = blockRecords(decodeBlock(bytes), options);
          expect(records).toHaveLength(2);
        },
      ),
    );
  });
});

describe('changes', () => {
  it('are exactly the versions that the batch wrote, byte for byte and in order', () => {
    const genesis = buildChain([]).at(-1) ?? null;
    const versions = fc.array(fc.option(fc.json(), { nil: null }), { minLength: 1, maxLength: 4 });
    // JavaScript would move keys that look like array indexes to the front.
    const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((k) => `k${k}`);
    fc.assert(
      fc.property(fc.dictionary(key, versions, { noNullPrototype: true }), (keys) => {
        let offset = 0n;
        const documents: Record<string, [bigint, string | null][]> = {};
        const expected: unknown[] = [];
        for (const [name, jsons] of Object.entries(keys)) {
          documents[name] = jsons.map((json) => {
            const at = offset++;
            const { stream, topic, partition } = SOURCE;
            expected.push([name, json, `${stream}/${topic}/${partition}/${at}`]);
            return [at, json];
          });
        }
        const transactions = [batchTransaction({ txId: 'tx', documents })];
        const { bytes } = buildBlock({ number: 1, previous: genesis, transactions });
        const { records } = blockRecords(decodeBlock(bytes), options);
        const changes = records.filter((record) => record.topic === options.topics.changes);
        expect(
          changes.map(({ key, value, headers }) => [
            Buffer.from(key ?? '').toString(),
            value === null ? null : Buffer.from(value).toString(),
            headers.find(({ name }) => name === 'shuttle_position')?.value,
          ]),
        ).toEqual(expected);
      }),
    );
  });
});
