import { common, orderer } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import { BLOCK_BYTES_MAX_DEFAULT } from '../../../bridge/src/limits.ts';
import { blockBytesMax } from '../../../bridge/src/publish/block-bytes-max.ts';
import { type BuiltBlock, buildBlock } from '../../support/blocks.ts';
import { BlocksLedger } from '../../support/blocks-ledger.ts';

/** A config transaction as an orderer writes it, with other groups and values beside. */
function configEntry(absolute: number): Uint8Array {
  const size = new orderer.BatchSize();
  size.setMaxMessageCount(500);
  size.setAbsoluteMaxBytes(absolute);
  size.setPreferredMaxBytes(2 * 1024 * 1024);
  const value = new common.ConfigValue();
  value.setValue(size.serializeBinary());
  value.setModPolicy('Admins');
  const ordererGroup = new common.ConfigGroup();
  ordererGroup.getValuesMap().set('BatchTimeout', new common.ConfigValue());
  ordererGroup.getValuesMap().set('BatchSize', value);
  const root = new common.ConfigGroup();
  root.getGroupsMap().set('Application', new common.ConfigGroup());
  root.getGroupsMap().set('Orderer', ordererGroup);
  const config = new common.Config();
  config.setSequence(3);
  config.setChannelGroup(root);
  const envelope = new common.ConfigEnvelope();
  envelope.setConfig(config);
  const payload = new common.Payload();
  payload.setData(envelope.serializeBinary());
  const outer = new common.Envelope();
  outer.setPayload(payload.serializeBinary());
  return outer.serializeBinary();
}

function chain(): BuiltBlock[] {
  const blocks: BuiltBlock[] = [];
  const add = (lastConfig: number, entry?: Uint8Array) => {
    const transactions = [entry === undefined ? {} : { entry }];
    const previous = blocks.at(-1) ?? null;
    blocks.push(buildBlock({ number: blocks.length, previous, transactions, lastConfig }));
  };
  add(0, configEntry(1_000_000));
  add(0);
  add(2, configEntry(103_809_024));
  add(2);
  return blocks;
}

describe('the room that a block needs', () => {
  test("is the channel's AbsoluteMaxBytes, in its newest configuration", async () => {
    const ledger = new BlocksLedger(chain());
    expect(await blockBytesMax(ledger)).toBe(103_809_024);
    ledger.served = 2;
    expect(await blockBytesMax(ledger)).toBe(1_000_000);
    expect(ledger.streams).toBe(0);
  });

  test('is the default when the configuration does not say it', async () => {
    const genesis = buildBlock({ number: 0, previous: null, transactions: [{}] });
    expect(await blockBytesMax(new BlocksLedger([genesis]))).toBe(BLOCK_BYTES_MAX_DEFAULT);
  });
});
