import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { BatchContract } from '../../chaincode/src/base-contract.ts';
import { decodeEnvelope } from '../../chaincode/src/envelope.ts';
import type { IndexKey } from '../../chaincode/src/index-keys.ts';
import { decodePartitionState } from '../../chaincode/src/ledger.ts';
import { type Applied, type IncomingRecord, refuse } from '../../chaincode/src/rule.ts';
import { decodeReceipt, RULES_BYTES_MAX } from '../../chaincode/src/wire.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { StubNetwork } from '../support/stub-network.ts';

/** Keeps a sum for each key; some numbers are refused, and some break the rule. */
class SumContract extends BatchContract {
  private readonly scratch = Buffer.alloc(1);

  constructor() {
    super('sum');
  }

  protected override readsCurrent(): boolean {
    return true;
  }

  protected override apply(record: IncomingRecord, current: Uint8Array | null): Applied {
    if (record.value === null) {
      return null;
    }
    const added = Number(Buffer.from(record.value).toString());
    const sum = added + (current === null ? 0 : Number(Buffer.from(current).toString()));
    switch (added) {
      case 0:
        return refuse('ZERO', `Nothing is added to ${sum}.`);
      case 13:
        return Buffer.from('thirteen');
      case 50:
        return refuse('LONG', `${'long '.repeat(100)}`);
      case 60:
        this.scratch[0] = 0x30 + this.scratch.length;
        return this.scratch;
      case 61:
        this.scratch[0] = 0x78;
        return this.scratch;
      case 70:
        // Writing into what it is given must not reach the ledger unchecked, or an earlier version.
        record.value.fill(0x78);
        current?.fill(0x78);
        return record.value;
      default:
        return added < 90 ? Buffer.from(`${sum}`) : broken(added);
    }
  }
}

/** What a rule with a bug may do. */
function broken(kind: number): Applied {
  const answers: Record<number, () => unknown> = {
    91: () => undefined,
    92: () => 'text',
    93: () => Promise.reject(new Error('late')),
    94: () => refuse('not a name', 'x'),
    95: () => ({ name: 'lower', sentence: 'x' }),
  };
  const answer = answers[kind];
  if (answer === undefined) {
    throw new Error('The rule itself is broken, at secret 4711.');
  }
  return answer() as Applied;
}

/** Finds documents by their sum; some sums have no place in its index. */
class IndexedContract extends SumContract {
  protected override index(key: string, document: Uint8Array) {
    const sum = Number(Buffer.from(document).toString());
    const bad: Record<number, unknown> = {
      10: undefined,
      11: [{ type: 'sum', attributes: [''] }],
      12: [{ type: 'sum', attributes: ['\0'] }],
      14: Array.from({ length: 20_000 }, (_, n) => ({ type: 'sum', attributes: [`${n}`] })),
      15: refuse('FIFTEEN', 'No sum is 15.'),
    };
    return (sum in bad ? bad[sum] : [{ type: 'sum', attributes: [`${sum}`, key] }]) as IndexKey[];
  }
}

let network: StubNetwork;

beforeEach(async () => {
  network = new StubNetwork([SumContract]);
  await network.submit(openCall());
});

function stored(key: string): (string | null)[] {
  const entry = network.ledger.get(key);
  const versions = entry === undefined ? [] : decodeEnvelope(entry.value).versions;
  return versions.map(({ document }) =>
    document === null ? null : Buffer.from(document).toString(),
  );
}

/** What is written to the error stream meanwhile. */
async function stderrOf(run: () => Promise<void>): Promise<string> {
  const written = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await run();
    return written.mock.calls.map(([text]) => text.toString()).join('');
  } finally {
    written.mockRestore();
  }
}

describe('a contract with rules of its own', () => {
  test('is given the current document, with the batch’s earlier records applied', async () => {
    await network.submit(batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '2')]));
    expect(stored('a')).toEqual(['1', '3']);
    await network.submit(batchCall(1, [record(2, 'a', '3'), record(3, 'b', '5')]));
    expect(stored('a')).toEqual(['6']);
    await network.submit(batchCall(3, [record(4, 'a', null), record(5, 'a', '4')]));
    expect(stored('a')).toEqual([null, '4']);
  });

  test('reads each key once, though a batch holds it several times', async () => {
    const { endorsement } = await network.submit(
      batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '2'), record(2, 'b', '2')]),
    );
    expect(endorsement.messageTypes.filter((type) => type === 8)).toHaveLength(5);
  });

  test('refuses a record with its name and a sentence, and the batch goes on', async () => {
    const { text } = await network.submit(
      batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '0'), record(2, 'a', '5')]),
    );
    const rule = { name: 'ZERO', sentence: 'Nothing is added to 1.' };
    const rejections = [{ offset: 1n, code: 'RULE_REFUSED', rule }];
    expect(decodeReceipt(text)).toEqual({ offset: 2n, applied: 2, rejections });
    expect(stored('a')).toEqual(['1', '6']);
    const state = await network.evaluate({ fn: 'getWatermarks', args: ['s', 't', '0'] });
    expect(decodePartitionState(state.text).watermarks[0]?.rejections).toEqual(rejections);
  });

  test('has its sentences cut, and all that one watermark keeps of them bounded', async () => {
    const records = Array.from({ length: 2_000 }, (_, n) => record(n, 'a', '50'));
    const { text } = await network.submit(batchCall(-1, records));
    const { rejections } = decodeReceipt(text);
    expect(rejections).toHaveLength(2_000);
    expect(rejections[0]?.rule?.sentence).toHaveLength(256);
    const kept = rejections.findIndex(({ rule }) => rule === undefined);
    expect(kept).toBe(Math.floor(RULES_BYTES_MAX / (256 + 'LONG'.length)));
    expect(new Set(rejections.map(({ code }) => code))).toEqual(new Set(['RULE_REFUSED']));
    expect(rejections.slice(kept).every(({ rule }) => rule === undefined)).toBe(true);
  });

  test('cannot store what is not JSON', async () => {
    const { text } = await network.submit(batchCall(-1, [record(0, 'a', '13')]));
    expect(decodeReceipt(text).rejections).toEqual([{ offset: 0n, code: 'VALUE_NOT_JSON' }]);
    expect(stored('a')).toEqual([]);
  });

  test('keeps bytes that it reuses or writes into away from what was decided', async () => {
    const records = ['60', '61', '3', '70'].map((value, n) => record(n, 'a', value));
    const { text } = await network.submit(batchCall(-1, records));
    const code = 'VALUE_NOT_JSON';
    expect(decodeReceipt(text).rejections.map(({ offset }) => offset)).toEqual([1n, 3n]);
    expect(decodeReceipt(text).rejections.every((each) => each.code === code)).toBe(true);
    expect(stored('a')).toEqual(['1', '4']);
  });

  const answers = /RuleError: A rule answers bytes, null, or what refuse\(\) gives\./;
  const names = /RuleError: A rule's name is made of capitals, digits and _, 64 at most\./;
  test.each([
    ['answers nothing', '91', answers],
    ['answers a text', '92', answers],
    ['answers a promise that is rejected', '93', answers],
    ['names itself badly', '94', names],
    ['makes refusals of its own, badly', '95', names],
    ['throws', '99', /: Error\n +at broken/],
  ])('that %s loses the record to the dead letters, and nothing else', async (_, bug, told) => {
    const log = await stderrOf(async () => {
      const records = ['1', bug, bug, '2'].map((value, n) => record(n, 'a', value));
      const { text } = await network.submit(batchCall(-1, records));
      expect(decodeReceipt(text).rejections).toEqual([
        { offset: 1n, code: 'RULE_FAILED' },
        { offset: 2n, code: 'RULE_FAILED' },
      ]);
    });
    expect(stored('a')).toEqual(['1', '3']);
    expect(log).toContain("The contract's rule failed on offset 1 of t, partition 0: ");
    expect(log).toMatch(told);
    expect(log).not.toMatch(/offset 2|4711/);
  });

  test('has an index of its own, which cannot stop its lane either', async () => {
    network = new StubNetwork([IndexedContract]);
    await network.submit(openCall());
    await stderrOf(async () => {
      const values = ['1', '10', '11', '12', '14', '15', '2'];
      const records = values.map((value, n) => record(n, `key ${n}`, value));
      const { text } = await network.submit(batchCall(-1, records));
      const codes = decodeReceipt(text).rejections.map(({ code }) => code);
      expect(codes).toEqual([...Array(4).fill('RULE_FAILED'), 'RULE_REFUSED']);
    });
    const keys = network.ledger.range('\0sum\0', '\0sum\u0001').map(({ key }) => key);
    expect(keys).toEqual(['\0sum\x001\0key 0\0', '\0sum\x002\0key 6\0']);
  });

  test('is exactly-once like any other', async () => {
    const batch = batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '2')]);
    await network.submit(batch);
    expect((await network.submit(batch)).text).toMatch(/^REPEATED: /);
    expect(stored('a')).toEqual(['1', '3']);
  });
});
