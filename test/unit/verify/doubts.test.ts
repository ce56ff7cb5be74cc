/** What rests on something that is not proven is not proven either, and is not called wrong. */
import { common, msp } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import { Unprovable } from '../../../bridge/src/verify/findings.ts';
import { createMsp } from '../../../bridge/src/verify/msp.ts';
import { Members } from '../../../bridge/src/verify/policy.ts';
import { type BlockReport, createVerifier } from '../../../bridge/src/verify/verifier.ts';
import { readVector } from '../../support/chain-vectors.ts';
import {
  type Chain,
  changed,
  changeSignatures,
  entriesOf,
  setEntries,
} from '../../support/tampering.ts';

const { chain, expected } = readVector('raft');
const [, CONFIG = 0] = expected.blocks.flatMap(({ isConfig, number }) =>
  isConfig ? [number] : [],
);
const IDEMIX = 1;

/** The blocks that commit the chaincode's upgrade, and that first set a key's policy. */
const DEFINITION = blockOf('endorsed before an upgrade') - 1;
const KEY_POLICY = blockOf("a key's policy alone");

function blockOf(wanted: string): number {
  return expected.transactions.find(({ what }) => what === wanted)?.block ?? 0;
}

interface Proven {
  readonly reports: readonly BlockReport[];
  /** Of each block, whether the verifier would go on from it later. */
  readonly resumable: readonly boolean[];
}

function prove(blocks: Chain): Proven {
  const verifier = createVerifier({ genesisHash: null, channel: null });
  const resumable: boolean[] = [];
  const reports = blocks.map((bytes) => {
    const report = verifier.verify(bytes);
    resumable.push(verifier.checkpoint() !== null);
    return report;
  });
  return { reports, resumable };
}

const codesOf = (reports: readonly BlockReport[]): string[] => [
  ...new Set(reports.flatMap(({ findings }) => findings.map(({ code }) => code))),
];

function sentencesOf({ doubts }: BlockReport, wanted: string): string[] {
  return doubts.flatMap(({ code, sentence }) => (code === wanted ? [sentence] : []));
}

/** The orderers have not signed this block: what it says is theirs is not proven. */
const unsigned = (at: number): Chain =>
  changed(chain, at, (block) =>
    changeSignatures(block, (metadata) => metadata.setSignaturesList([])),
  );

/** The channel as if an organisation had identities of another kind from the start. */
function withIdemix(group: 'Application' | 'Orderer', organisation: string): Chain {
  return changed(chain, 0, (block) => {
    const [entry = new Uint8Array()] = entriesOf(block);
    const envelope = common.Envelope.deserializeBinary(entry);
    const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
    const config = common.ConfigEnvelope.deserializeBinary(payload.getData_asU8());
    const groups = config.getConfig()?.getChannelGroup()?.getGroupsMap();
    const value = groups?.get(group)?.getGroupsMap().get(organisation)?.getValuesMap().get('MSP');
    const idemix = new msp.IdemixMSPConfig();
    const was = msp.MSPConfig.deserializeBinary(value?.getValue_asU8() ?? new Uint8Array());
    const fabric = msp.FabricMSPConfig.deserializeBinary(was.getConfig_asU8());
    idemix.setName(fabric.getName());
    was.setType(IDEMIX);
    was.setConfig(idemix.serializeBinary());
    value?.setValue(was.serializeBinary());
    payload.setData(config.serializeBinary());
    envelope.setPayload(payload.serializeBinary());
    setEntries(block, [envelope.serializeBinary()], true);
  });
}

describe('an honest channel', () => {
  test('can be gone on with from each of its blocks', () => {
    expect(new Set(prove(chain).resumable)).toEqual(new Set([true]));
  });
});

describe('an organisation with identities that are not understood here', () => {
  test('leaves in doubt what its members have endorsed, and says that nothing is wrong', () => {
    const { reports, resumable } = prove(withIdemix('Application', 'Org2MSP'));
    // Block 1 was made for the genesis block as it was.
    expect(codesOf(reports)).toEqual(['PREVIOUS_HASH_WRONG']);
    expect(reports.flatMap((each) => sentencesOf(each, 'IDENTITY_UNKNOWN'))[0]).toBe(
      'Identities of MSP type 1 are not understood.',
    );
    const inDoubt = reports.flatMap((each) => sentencesOf(each, 'CHAINCODE_UNKNOWN'));
    expect(inDoubt).toContainEqual(expect.stringMatching(/written by a transaction in doubt/));
    expect(resumable.at(-1)).toBe(false);
  });

  test('as the orderers, leaves each block in doubt, and each config that they have signed', () => {
    const { reports, resumable } = prove(withIdemix('Orderer', 'OrdererOrg'));
    expect(codesOf(reports)).toEqual(['PREVIOUS_HASH_WRONG']);
    for (const report of reports.slice(1, CONFIG + 1)) {
      expect(sentencesOf(report, 'IDENTITY_UNKNOWN')).not.toEqual([]);
    }
    // The config of that block names them as they are, and may be anybody's.
    for (const report of reports.slice(CONFIG + 1)) {
      expect(sentencesOf(report, 'CONFIG_UNKNOWN')[0]).toMatch(/which holds the config, is not/);
    }
    expect(resumable[CONFIG]).toBe(false);
  });
});

test('an identity that is no certificate is in doubt where its organisation is of another kind', () => {
  const idemix = new msp.IdemixMSPConfig();
  idemix.setName('OtherMSP');
  const config = new msp.MSPConfig();
  config.setType(IDEMIX);
  config.setConfig(idemix.serializeBinary());
  const identity = new msp.SerializedIdentity();
  identity.setMspid('OtherMSP');
  identity.setIdBytes(Uint8Array.of(1, 2, 3));
  const members = new Members([createMsp(config)]);
  expect(() => members.identityOf(identity.serializeBinary())).toThrow(Unprovable);
  identity.setMspid('NoMSP');
  expect(members.identityOf(identity.serializeBinary())).toContain('no organisation NoMSP');
});

describe('a block that nobody has signed', () => {
  test('proves no config: what follows is in doubt, and nothing goes on from there', () => {
    const { reports, resumable } = prove(unsigned(CONFIG));
    const [before, at, after] = reports.slice(CONFIG - 1, CONFIG + 2);
    expect(before?.verdict).toBe('verified');
    expect(at?.verdict).toBe('failed');
    expect(after?.verdict).toBe('unverifiable');
    expect(sentencesOf(after as BlockReport, 'CONFIG_UNKNOWN')).toEqual([
      `Block ${CONFIG}, which holds the config, is not proven.`,
    ]);
    expect(resumable.slice(CONFIG - 1, CONFIG + 2)).toEqual([true, false, false]);
  });

  test('proves no definition of a chaincode: what it endorses is in doubt', () => {
    const { reports, resumable } = prove(unsigned(DEFINITION));
    const sentence = /written by a transaction in doubt/;
    const blocks = reports.filter((report) =>
      sentencesOf(report, 'CHAINCODE_UNKNOWN').some((each) => sentence.test(each)),
    );
    // What these write is in doubt then, and so is the next one that they may have to do with.
    expect(blocks.map(({ number }) => Number(number))).toEqual([DEFINITION + 1, DEFINITION + 2]);
    expect(reports[DEFINITION + 3]?.verdict).toBe('unverifiable');
    expect(resumable.slice(DEFINITION - 1, DEFINITION + 1)).toEqual([true, false]);
    expect(codesOf(reports)).toEqual(['SIGNATURES_TOO_FEW']);
  });

  test('proves no policy of a key: who may write it is in doubt', () => {
    const { reports } = prove(unsigned(KEY_POLICY));
    const why = 'Policies of keys were set or removed by a transaction in doubt.';
    const blocks = reports.filter((report) =>
      sentencesOf(report, 'KEY_POLICY_UNKNOWN').includes(why),
    );
    expect(blocks).not.toEqual([]);
    expect(blocks.every(({ number }) => number > KEY_POLICY)).toBe(true);
    expect(codesOf(reports)).toEqual(['SIGNATURES_TOO_FEW']);
  });
});
