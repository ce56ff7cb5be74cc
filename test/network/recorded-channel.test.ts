/** A recorded channel holds what the tests of verification rely on. */
import { common, peer } from '@hyperledger/fabric-protos';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createVerifier } from '../../bridge/src/verify/verifier.ts';
import { headerHash } from '../support/independent.ts';
import { type RecordedChannel, recordChannel } from '../support/recorded-channel.ts';

jest.setTimeout(300_000);

const EVERYWHERE = [
  'VALID',
  'MVCC_READ_CONFLICT',
  'PHANTOM_READ_CONFLICT',
  'ENDORSEMENT_POLICY_FAILURE',
  'BAD_PROPOSAL_TXID',
  'INVALID_ENDORSER_TRANSACTION',
] as const;
/** SmartBFT refuses these before they are in a block. */
const RAFT_ALONE = ['DUPLICATE_TXID', 'BAD_COMMON_HEADER'] as const;

describe.each([
  { profile: 'raft', codes: [...EVERYWHERE, ...RAFT_ALONE], configs: 6 },
  { profile: 'bft', codes: EVERYWHERE, configs: 5 },
] as const)('a recorded channel of the $profile profile', ({ profile, codes, configs }) => {
  let channel: RecordedChannel;
  beforeAll(async () => {
    channel = await recordChannel({ profile, portOffset: 22_470 });
  });

  test('has every kind of validation code that the profile lets into blocks', () => {
    const due: readonly number[] = codes.map((name) => peer.TxValidationCode[name]);
    expect(new Set(channel.codes.flat())).toEqual(new Set(due));
  });

  test('names transactions of the history by place, with the code that stands there', () => {
    expect(channel.transactions.length).toBeGreaterThan(50);
    for (const { block, index, code, what } of channel.transactions) {
      expect([what, channel.codes[block]?.[index]]).toEqual([what, code]);
    }
  });

  test('has the updates of its configuration, each in a block of its own', () => {
    expect(channel.configBlocks).toHaveLength(configs);
    expect(channel.configBlocks[0]).toBe(0);
    for (const number of channel.configBlocks) expect(channel.codes[number]).toEqual([0]);
  });

  test('is proven without a finding, as either peer gives it', () => {
    for (const blocks of Object.values(channel.blocks)) {
      const verifier = createVerifier({ genesisHash: null, channel: 'mychannel', replay: true });
      const reports = blocks.map((bytes) => verifier.verify(bytes));
      expect(reports.flatMap(({ findings }) => findings)).toEqual([]);
      // Of the codes, only those of ranges stay in doubt: repeated ids and stale reads are proven.
      const doubted = reports
        .flatMap(({ doubts }) => doubts)
        .filter(({ code }) => code === 'CODE_UNPROVEN')
        .map(({ block, transaction }) => channel.codes[Number(block)]?.[transaction ?? -1]);
      expect(new Set(doubted)).toEqual(new Set([peer.TxValidationCode.PHANTOM_READ_CONFLICT]));
    }
  });

  test('is the same chain at both peers, from block 0 on', () => {
    const decoded = Object.values(channel.blocks).map((blocks) =>
      blocks.map((bytes) => common.Block.deserializeBinary(bytes)),
    );
    const [first = [], second = []] = decoded;
    expect(first.map(headerHash)).toEqual(second.map(headerHash));
    for (const [index, block] of first.entries()) {
      const before = first[index - 1];
      const previous = Buffer.from(block.getHeader()?.getPreviousHash_asU8() ?? []);
      expect(block.getHeader()?.getNumber()).toBe(index);
      expect(previous.toString('hex')).toBe(before === undefined ? '' : headerHash(before));
    }
  });
});
