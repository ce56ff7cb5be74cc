import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  type Applied,
  BatchContract,
  type IncomingRecord,
  REFUSED,
} from '../../chaincode/src/base-contract.ts';
import { decodeEnvelope } from '../../chaincode/src/envelope.ts';
import { decodeReceipt } from '../../chaincode/src/wire.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { StubNetwork } from '../support/stub-network.ts';

/**
 * Keeps a sum for each key; a zero is refused, a result of 13 is not JSON, 99 breaks the contract.
 */
class SumContract extends BatchContract {
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
    if (added === 0) {
      return REFUSED;
    }
    if (added === 99) {
      throw new Error('The rule itself is broken.');
    }
    const sum = added + (current === null ? 0 : Number(Buffer.from(current).toString()));
    return Buffer.from(sum === 13 ? 'thirteen' : `${sum}`);
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

  test('refuses a record, and the batch goes on', async () => {
    const { text } = await network.submit(
      batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '0'), record(2, 'a', '5')]),
    );
    expect(decodeReceipt(text).rejections).toEqual([{ offset: 1n, code: 'RULE_REFUSED' }]);
    expect(stored('a')).toEqual(['1', '6']);
  });

  test('cannot store what is not JSON', async () => {
    const { text } = await network.submit(batchCall(-1, [record(0, 'a', '13')]));
    expect(decodeReceipt(text).rejections).toEqual([{ offset: 0n, code: 'VALUE_NOT_JSON' }]);
    expect(stored('a')).toEqual([]);
  });

  test('that throws fails the whole batch, and nothing of it is written', async () => {
    const answer = await network.submit(batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '99')]));
    expect(answer.isOk).toBe(false);
    expect(answer.endorsement.writes).toEqual([]);
    expect(answer.text).toBe('The rule itself is broken.');
  });

  test('is exactly-once like any other', async () => {
    const batch = batchCall(-1, [record(0, 'a', '1'), record(1, 'a', '2')]);
    await network.submit(batch);
    expect((await network.submit(batch)).text).toMatch(/^REPEATED: /);
    expect(stored('a')).toEqual(['1', '3']);
  });
});
