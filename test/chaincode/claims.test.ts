import '../support/stub-quiet.ts';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ShuttleContract } from '../../chaincode/src/contract.ts';
import { CLAIMS_BYTES_MAX, decodeReceipt } from '../../chaincode/src/wire.ts';
import { batchCall, openCall, record } from '../support/stub-batches.ts';
import { ADMIN_CERTIFICATE, FORGED_CERTIFICATE } from '../support/stub-certificate.ts';
import { StubNetwork } from '../support/stub-network.ts';

const ORG1 = 'Org1MSP';
const ORG2 = 'Org2MSP';
const CLAIMED = /^KEY_CLAIMED: /;
const TAKEN = /^CLAIM_TAKEN: /;

let network: StubNetwork;

beforeEach(() => {
  network = new StubNetwork([ShuttleContract]);
});

const claim = (mspId: string, prefix: string | Uint8Array, shared = '[]') =>
  network.submit({
    fn: 'claim',
    args: [prefix, shared],
    mspId,
    certificate: ADMIN_CERTIFICATE,
  });
const release = (mspId: string, prefix: string) =>
  network.submit({ fn: 'releaseClaim', args: [prefix], mspId, certificate: ADMIN_CERTIFICATE });
const set = (mspId: string, key: string) =>
  network.submit({ fn: 'setData', args: [key, '1'], mspId });
const remove = (mspId: string, key: string) =>
  network.submit({ fn: 'deleteData', args: [key], mspId });
const claims = async () => JSON.parse((await network.evaluate({ fn: 'getClaims' })).text).claims;

describe('a claim', () => {
  test('keeps others from setting and deleting documents under its prefix, and only there', async () => {
    expect((await set(ORG1, 'a/1')).isOk).toBe(true);
    await claim(ORG1, 'a/');
    expect((await set(ORG2, 'a/1')).text).toMatch(CLAIMED);
    expect((await remove(ORG2, 'a/1')).text).toMatch(CLAIMED);
    expect((await set(ORG2, 'a')).isOk).toBe(true);
    expect((await set(ORG2, 'b/1')).isOk).toBe(true);
    expect((await set(ORG1, 'a/1')).isOk).toBe(true);
    expect((await remove(ORG1, 'a/1')).isOk).toBe(true);
  });

  test('rejects the records of another organisation one by one; their batch goes on', async () => {
    await claim(ORG1, 'a/');
    await network.submit(openCall(undefined, ORG2));
    const records = [record(0, 'a/1', '1'), record(1, 'b', '1'), record(2, 'a/2', null)];
    const answer = await network.submit({ ...batchCall(-1, records), mspId: ORG2 });
    expect(decodeReceipt(answer.text)).toMatchObject({
      offset: 2n,
      applied: 1,
      rejections: [
        { offset: 0n, code: 'KEY_CLAIMED' },
        { offset: 2n, code: 'KEY_CLAIMED' },
      ],
    });
    expect(network.ledger.get('a/1')).toBeUndefined();
    expect(network.ledger.get('a/2')).toBeUndefined();
    expect(network.ledger.get('b')).toBeDefined();
  });

  test('that is committed while a batch is in flight lets the batch read it first', async () => {
    await network.submit(openCall(undefined, ORG2));
    const batch = { ...batchCall(-1, [record(0, 'a/1', '1')]), mspId: ORG2 };
    const early = await network.evaluate(batch);
    await claim(ORG1, 'a/');
    expect(network.commit([early])).toEqual(['MVCC_READ_CONFLICT']);
    expect(decodeReceipt((await network.submit(batch)).text).applied).toBe(0);
  });

  test('lets those write that it is shared with, until it is shared no more', async () => {
    await claim(ORG1, 'a/', '["Org2MSP"]');
    expect((await set(ORG2, 'a/1')).isOk).toBe(true);
    expect((await set('Org3MSP', 'a/1')).text).toMatch(CLAIMED);
    await claim(ORG1, 'a/');
    expect((await set(ORG2, 'a/1')).text).toMatch(CLAIMED);
  });

  test('within one’s own decides by the longest prefix', async () => {
    await claim(ORG1, 'a/', '["Org2MSP"]');
    await claim(ORG1, 'a/secret/');
    expect((await set(ORG2, 'a/1')).isOk).toBe(true);
    expect((await set(ORG2, 'a/secret/1')).text).toMatch(CLAIMED);
    expect((await set(ORG1, 'a/secret/1')).isOk).toBe(true);
  });

  test.each(['a/', 'a', 'a/1', 'a/1/2'])(
    'of another organisation on a/ refuses one on %s',
    async (prefix) => {
      await claim(ORG1, 'a/', '["Org2MSP"]');
      const before = await claims();
      expect((await claim(ORG2, prefix)).text).toMatch(TAKEN);
      expect(await claims()).toEqual(before);
    },
  );

  test('is released by its owner only, and then free for all', async () => {
    await claim(ORG1, 'a/', '["Org2MSP"]');
    expect((await release(ORG2, 'a/')).text).toMatch(TAKEN);
    expect((await release(ORG1, 'a')).text).toMatch(/^NOT_FOUND: /);
    expect((await release(ORG1, 'a/')).isOk).toBe(true);
    expect(await claims()).toEqual([]);
    expect((await claim(ORG2, 'a/')).isOk).toBe(true);
    expect((await set(ORG1, 'a/1')).text).toMatch(CLAIMED);
  });

  test('is made and released by an admin, whom no name can imitate', async () => {
    for (const certificate of [undefined, FORGED_CERTIFICATE]) {
      const who = certificate === undefined ? {} : { certificate };
      for (const call of [
        { fn: 'claim', args: ['a/', '[]'] },
        { fn: 'releaseClaim', args: ['a/'] },
      ]) {
        const answer = await network.submit({ ...call, ...who });
        expect(answer.text).toMatch(/^ADMIN_REQUIRED: /);
        expect(answer.endorsement.writes).toEqual([]);
      }
    }
  });

  test('that is repeated writes nothing', async () => {
    await claim(ORG1, 'a/', '["Org3MSP","Org2MSP"]');
    const again = await claim(ORG1, 'a/', '["Org2MSP","Org3MSP","Org2MSP","Org1MSP"]');
    expect(again.endorsement.writes).toEqual([]);
    expect(JSON.parse(again.text).claims).toEqual([
      { prefix: 'a/', mspId: ORG1, shared: ['Org2MSP', 'Org3MSP'] },
    ]);
  });

  test.each([
    ['an empty prefix', '', '[]'],
    ['a prefix of Fabric’s', '\0a', '[]'],
    ['a prefix of CouchDB’s', '_a', '[]'],
    ['a long prefix', 'x'.repeat(513), '[]'],
    ['a prefix that is not UTF-8', Buffer.from([0x61, 0x80]), '[]'],
    ['shares that are no array', 'a/', '{}'],
    ['shares that are no JSON', 'a/', 'Org2MSP'],
    ['a share that is no text', 'a/', '[1]'],
    ['an empty share', 'a/', '[""]'],
  ])('with %s is refused', async (_name, prefix, shared) => {
    expect((await claim(ORG1, prefix, shared)).text).toMatch(/^ARGUMENT_INVALID: /);
  });

  test('is refused when all claims together grow past their limit', async () => {
    const ids = Array.from({ length: 250 }, (_, n) => `Org${n}MSP${'x'.repeat(240)}`);
    expect((await claim(ORG1, 'a/', JSON.stringify(ids.slice(0, 200)))).isOk).toBe(true);
    expect(JSON.stringify(ids.slice(200)).length).toBeGreaterThan(CLAIMS_BYTES_MAX / 6);
    const refused = await claim(ORG2, 'b/', JSON.stringify(ids));
    expect(refused.text).toMatch(/^CLAIMS_FULL: /);
    expect(await claims()).toHaveLength(1);
  });
});
