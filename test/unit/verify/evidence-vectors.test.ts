/** Evidence of every valid transaction of recorded channels, over config updates and upgrades. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { decodeBlock } from '../../../bridge/src/block/decode.ts';
import { readTransaction } from '../../../bridge/src/block/summary.ts';
import { createFileSource } from '../../../bridge/src/cli/blocks-files.ts';
import { verifyEvidence } from '../../../bridge/src/verify/evidence.ts';
import { EvidenceCollector } from '../../../bridge/src/verify/evidence-collector.ts';
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
} from '../../../bridge/src/verify/evidence-file.ts';

const CHAINCODE = 'vectors';

const pathOf = (profile: string, file: string): string =>
  new URL(`../../vectors/${profile}/${file}`, import.meta.url).pathname;

interface Expected {
  readonly channel: string;
  readonly genesisHash: string;
}

/** Ids of the endorsed transactions, with what they say of themselves. */
interface Transaction {
  readonly block: bigint;
  readonly txId: string;
  readonly isValid: boolean;
}

describe.each([
  ['raft', [19n, 21n, 23n, 25n]],
  ['bft', [20n, 22n, 24n, 26n]],
])('in a channel of the %s profile', (profile, guarded) => {
  const { channel, genesisHash } = JSON.parse(
    readFileSync(pathOf(profile, 'expected.json'), 'utf8'),
  ) as Expected;
  const blocks: Uint8Array[] = [];
  const transactions: Transaction[] = [];

  beforeAll(async () => {
    const source = createFileSource(pathOf(profile, 'blocks.bin'));
    for await (const { bytes } of source.blocks(null, new AbortController().signal)) {
      blocks.push(bytes);
      const { header, entries, validationCodes } = decodeBlock(bytes);
      for (const [index, entry] of entries.entries()) {
        const code = validationCodes[index] ?? 0;
        const read = readTransaction(entry, index, code, CHAINCODE);
        if (read.action !== null) {
          const txId = read.header?.txId ?? '';
          transactions.push({ block: header.number, txId, isValid: code === 0 });
        }
      }
    }
  });

  function evidenceOf(txId: string): Evidence | null {
    const collector = new EvidenceCollector(CHAINCODE, { kind: 'transaction', txId });
    for (const block of blocks) {
      collector.take(block);
    }
    return collector.evidence(channel, genesisHash);
  }

  const check = (evidence: Evidence) => verifyEvidence(encodeEvidence(evidence), { genesisHash });

  test('each valid transaction has evidence that holds, but where a key has its own policy', () => {
    const valid = transactions.filter(({ isValid }) => isValid);
    expect(valid.length).toBeGreaterThan(15);
    const lacking: bigint[] = [];
    for (const { txId, block } of valid) {
      const { verdict, findings, proven } = check(evidenceOf(txId) as Evidence);
      if (verdict === 'verified') {
        expect(proven).toMatchObject({ block, txId });
      } else {
        expect(findings).toMatchObject([{ block, code: 'CODE_WRONG' }]);
        expect(findings[0]?.sentence).toContain('do not satisfy the policy of');
        lacking.push(block);
      }
    }
    expect(lacking).toEqual(guarded);
  });

  test('none that was committed without effect has any', () => {
    const invalid = transactions.filter(({ isValid }) => !isValid);
    expect(invalid.length).toBeGreaterThan(3);
    expect(invalid.map(({ txId }) => evidenceOf(txId))).toEqual(invalid.map(() => null));
  });

  test('no config on the way can be left out, taken twice or put elsewhere', () => {
    const last = transactions.findLast(({ isValid }) => isValid);
    const evidence = evidenceOf(last?.txId ?? '') as Evidence;
    const { configs } = evidence;
    expect(configs.length).toBe(3);
    for (const wrong of [
      configs.slice(0, 1),
      configs.slice(0, 2),
      [configs[0], configs[2]],
      [configs[0], configs[2], configs[1]],
      [...configs, configs[2]],
    ]) {
      const report = check({ ...evidence, configs: wrong as readonly Uint8Array[] });
      expect(report).toMatchObject({ verdict: 'failed', proven: null });
    }
    expect(decodeEvidence(encodeEvidence(evidence)).configs).toEqual(
      configs.map((bytes) => Buffer.from(bytes)),
    );
  });
});
