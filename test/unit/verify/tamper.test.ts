/** Every kind of tampering with a recorded channel is found, and named at the right block. */
import { common, type peer } from '@hyperledger/fabric-protos';
import { describe, expect, test } from '@jest/globals';
import type { DoubtCode, FindingCode } from '../../../bridge/src/verify/findings.ts';
import {
  type BlockReport,
  createVerifier,
  type Verifier,
  type VerifierOptions,
} from '../../../bridge/src/verify/verifier.ts';
import { readVector, type Vector } from '../../support/chain-vectors.ts';
import {
  blockAt,
  type Chain,
  changed,
  changeSignatures,
  commitHashOf,
  creatorOf,
  entriesOf,
  flipped,
  foreignSignature,
  highS,
  recommitted,
  reendorsed,
  relinked,
  replaced,
  setCommitHash,
  setEntries,
  setSlot,
  slotOf,
} from '../../support/tampering.ts';

const raft = readVector('raft');
const bft = readVector('bft');

/** An honest channel, as far as each of its blocks. */
interface Honest {
  /** Before each block. */
  readonly verifiers: readonly Verifier[];
  readonly reports: readonly BlockReport[];
}

const known = new Map<string, Honest>();

function honest({ chain }: Vector, options: VerifierOptions): Honest {
  const name = JSON.stringify(options);
  let found = known.get(name);
  if (found === undefined) {
    const verifier = createVerifier(options);
    const verifiers: Verifier[] = [];
    const reports = chain.map((bytes) => {
      verifiers.push(verifier.fork());
      return verifier.verify(bytes);
    });
    found = { verifiers: [...verifiers, verifier], reports };
    known.set(name, found);
  }
  return found;
}

/** Verifies a chain from the first block on that is not the honest one's. */
function verifyAll(
  chain: Chain,
  vector: Vector,
  more: Partial<VerifierOptions> = {},
): readonly BlockReport[] {
  const { genesisHash, channel } = vector.expected;
  const { verifiers, reports } = honest(vector, { genesisHash, channel, ...more });
  const other = chain.findIndex((bytes, at) => bytes !== vector.chain[at]);
  const from = other === -1 ? chain.length : other;
  const verifier = verifiers[from]?.fork();
  const rest = chain.slice(from).flatMap((bytes) => verifier?.verify(bytes) ?? []);
  return [...reports.slice(0, from), ...rest];
}

/** The first finding: what it is, and of which block. */
function firstFinding(reports: readonly BlockReport[]): readonly [bigint, FindingCode] | null {
  const [finding] = reports.flatMap(({ findings }) => findings);
  return finding === undefined ? null : [finding.block, finding.code];
}

const codeAt = (at: number): Uint8Array => slotOf(blockAt(raft.chain, at), 'codes');

/** A block whose two transactions can be told apart, a later config block, and a plain one. */
const PAIR = raft.expected.blocks.findIndex(
  ({ codes }) => codes.length > 1 && codes[1] !== 'VALID',
);
const CONFIGS = raft.expected.blocks.filter(({ isConfig }) => isConfig).map(({ number }) => number);
const [, CONFIG = 0, LATER_CONFIG = 0] = CONFIGS;
const AT = 9;
const REFUSED = raft.expected.blocks.findIndex(({ codes }) =>
  codes.includes('ENDORSEMENT_POLICY_FAILURE'),
);
const CONFLICT = raft.expected.blocks.findIndex(
  ({ codes }) => codes.length === 1 && codes[0] === 'MVCC_READ_CONFLICT',
);

const MVCC = 11;
const DUPLICATE = 9;
const POLICY_FAILURE = 10;
const BAD_SIGNATURE = 4;

type Tampering = readonly [
  what: string,
  make: (chain: Chain) => Chain,
  block: number,
  code: FindingCode,
];

const withHeader = (chain: Chain, change: (header: common.BlockHeader) => void): Chain =>
  changed(chain, AT, (block) => {
    const header = block.getHeader();
    if (header !== undefined) {
      change(header);
    }
  });

const HEADERS: readonly Tampering[] = [
  ['another number', (c) => withHeader(c, (h) => h.setNumber(AT + 1)), AT + 1, 'NUMBER_WRONG'],
  [
    'another previous hash',
    (c) => withHeader(c, (h) => h.setPreviousHash(flipped(h.getPreviousHash_asU8(), 3))),
    AT,
    'PREVIOUS_HASH_WRONG',
  ],
  [
    'another data hash',
    (c) => withHeader(c, (h) => h.setDataHash(flipped(h.getDataHash_asU8(), 3))),
    AT,
    'DATA_HASH_WRONG',
  ],
  [
    'a previous hash that is too short',
    (c) => withHeader(c, (h) => h.setPreviousHash(h.getPreviousHash_asU8().slice(1))),
    AT,
    'BLOCK_UNREADABLE',
  ],
  ['no header', (c) => changed(c, AT, (block) => block.clearHeader()), 0, 'BLOCK_UNREADABLE'],
];

/** Entries changed, with and without the hashes that cover them made anew. */
const withEntries = (
  chain: Chain,
  at: number,
  change: (entries: Uint8Array[]) => Uint8Array[],
  isHashed = false,
): Chain =>
  changed(chain, at, (block) => {
    setEntries(block, change(entriesOf(block)), isHashed);
  });

const rewritten = ([first = new Uint8Array(), ...others]: Uint8Array[]): Uint8Array[] => [
  flipped(first, first.length >> 1),
  ...others,
];

function swapped([one, two, ...others]: peer.Endorsement[]): peer.Endorsement[] {
  const first = one?.getSignature_asU8() ?? new Uint8Array();
  one?.setSignature(two?.getSignature_asU8() ?? first);
  two?.setSignature(first);
  return [one, two, ...others].filter((each) => each !== undefined);
}

const DATA: readonly Tampering[] = [
  ['a byte of its data', (c) => withEntries(c, AT, rewritten), AT, 'DATA_HASH_WRONG'],
  [
    'a value rewritten, and the data hash recomputed',
    (c) => withEntries(c, AT, rewritten, true),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'a value rewritten, and all hashes of the chain recomputed',
    (c) => relinked(withEntries(c, AT, rewritten, true), AT + 1),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'the order of two transactions',
    (c) => withEntries(c, PAIR, (entries) => entries.toReversed()),
    PAIR,
    'DATA_HASH_WRONG',
  ],
  [
    'the order of two transactions and of their codes, hashes recomputed',
    (c) =>
      changed(c, PAIR, (block) => {
        setEntries(block, entriesOf(block).toReversed(), true);
        setSlot(block, 'codes', slotOf(block, 'codes').toReversed());
      }),
    PAIR,
    'SIGNATURE_WRONG',
  ],
  [
    'a transaction left out',
    (c) => withEntries(c, PAIR, (e) => e.slice(1)),
    PAIR,
    'DATA_HASH_WRONG',
  ],
  [
    'a transaction left out with its code, the hash recomputed',
    (c) =>
      changed(c, PAIR, (block) => {
        setEntries(block, entriesOf(block).slice(1), true);
        setSlot(block, 'codes', slotOf(block, 'codes').slice(1));
      }),
    PAIR,
    'SIGNATURE_WRONG',
  ],
  ['a transaction twice', (c) => withEntries(c, AT, (e) => [...e, ...e]), AT, 'DATA_HASH_WRONG'],
  [
    'a transaction of another block beside its own',
    (c) => withEntries(c, AT, (e) => [...e, ...entriesOf(blockAt(c, AT + 1))]),
    AT,
    'DATA_HASH_WRONG',
  ],
  [
    'two transactions as one entry, whose data hash is the same',
    (c) => withEntries(c, PAIR, (entries) => [Uint8Array.from(Buffer.concat(entries))]),
    PAIR,
    'ENTRY_NOT_CANONICAL',
  ],
  [
    'one transaction as two entries, whose data hash is the same',
    (c) => withEntries(c, AT, ([e = new Uint8Array()]) => [e.slice(0, 99), e.slice(99)]),
    AT,
    'ENTRY_NOT_CANONICAL',
  ],
  [
    'the signatures of two endorsers swapped, and the data hash recomputed',
    (c) => withEntries(c, AT, ([e = new Uint8Array()]) => [reendorsed(e, swapped)], true),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'an endorsement left out, and the data hash recomputed',
    (c) => withEntries(c, AT, ([e = new Uint8Array()]) => [reendorsed(e, ([, ...r]) => r)], true),
    AT,
    'SIGNATURE_WRONG',
  ],
  ['no data', (c) => withEntries(c, AT, () => []), AT, 'DATA_HASH_WRONG'],
];

const withCode = (chain: Chain, at: number, index: number, code: number): Chain =>
  changed(chain, at, (block) => {
    const codes = Uint8Array.from(slotOf(block, 'codes'));
    codes[index] = code;
    setSlot(block, 'codes', codes);
  });

const CODES: readonly Tampering[] = [
  ['VALID to MVCC_READ_CONFLICT', (c) => withCode(c, AT, 0, MVCC), AT, 'COMMIT_HASH_WRONG'],
  [
    'MVCC_READ_CONFLICT to VALID',
    (c) => withCode(c, CONFLICT, 0, 0),
    CONFLICT,
    'COMMIT_HASH_WRONG',
  ],
  [
    'MVCC_READ_CONFLICT of what one before it in the block has written, to VALID',
    (c) => recommitted(withCode(c, PAIR, 1, 0), PAIR),
    PAIR,
    'CODE_WRONG',
  ],
  ['ENDORSEMENT_POLICY_FAILURE to VALID', (c) => withCode(c, REFUSED, 0, 0), REFUSED, 'CODE_WRONG'],
  [
    'ENDORSEMENT_POLICY_FAILURE to VALID, all later commit hashes recomputed',
    (c) => recommitted(withCode(c, REFUSED, 0, 0), REFUSED),
    REFUSED,
    'CODE_WRONG',
  ],
  [
    'VALID to ENDORSEMENT_POLICY_FAILURE, all later commit hashes recomputed',
    (c) => recommitted(withCode(c, AT, 0, POLICY_FAILURE), AT),
    AT,
    'CODE_WRONG',
  ],
  [
    'VALID to BAD_CREATOR_SIGNATURE, all later commit hashes recomputed',
    (c) => recommitted(withCode(c, AT, 0, BAD_SIGNATURE), AT),
    AT,
    'CODE_WRONG',
  ],
  [
    'VALID to MVCC_READ_CONFLICT of a config, all later commit hashes recomputed',
    (c) => recommitted(withCode(c, CONFIG, 0, MVCC), CONFIG),
    CONFIG,
    'CODE_WRONG',
  ],
  ['a code that there is not', (c) => withCode(c, AT, 0, 99), AT, 'CODE_WRONG'],
  [
    'a code too many',
    (c) => changed(c, AT, (b) => setSlot(b, 'codes', Uint8Array.of(...slotOf(b, 'codes'), 0))),
    AT,
    'CODE_WRONG',
  ],
  [
    'no codes',
    (c) => changed(c, AT, (b) => setSlot(b, 'codes', new Uint8Array())),
    AT,
    'CODE_WRONG',
  ],
  [
    'a byte of the commit hash',
    (c) => changed(c, AT, (b) => setCommitHash(b, flipped(commitHashOf(b), 7))),
    AT,
    'COMMIT_HASH_WRONG',
  ],
  [
    'the commit hash of the block before',
    (c) => changed(c, AT, (b) => setCommitHash(b, commitHashOf(blockAt(c, AT - 1)))),
    AT,
    'COMMIT_HASH_WRONG',
  ],
  [
    'no commit hash',
    (c) => changed(c, AT, (b) => setSlot(b, 'commitHash', new Uint8Array())),
    AT,
    'COMMIT_HASH_WRONG',
  ],
];

const CHAINS: readonly Tampering[] = [
  ['a block left out', (c) => c.toSpliced(AT, 1), AT + 1, 'NUMBER_WRONG'],
  ['a block twice', (c) => c.toSpliced(AT, 0, c[AT] as Uint8Array), AT, 'NUMBER_WRONG'],
  [
    'two blocks in the wrong order',
    (c) => c.toSpliced(AT, 2, c[AT + 1] as Uint8Array, c[AT] as Uint8Array),
    AT + 1,
    'NUMBER_WRONG',
  ],
  [
    'a block of another channel',
    (c) => replaced(c, AT, bft.chain[AT] as Uint8Array),
    AT,
    'PREVIOUS_HASH_WRONG',
  ],
  ['another first block', (c) => replaced(c, 0, bft.chain[0] as Uint8Array), 0, 'GENESIS_WRONG'],
  ['another chain altogether', () => bft.chain, 0, 'GENESIS_WRONG'],
  [
    'an older config in place of a newer one, hashes recomputed',
    (c) => withEntries(c, LATER_CONFIG, () => entriesOf(blockAt(c, CONFIG)), true),
    LATER_CONFIG,
    'SIGNATURE_WRONG',
  ],
  [
    'a config block left out, and the rest numbered and linked anew',
    (c) =>
      relinked(
        c.toSpliced(CONFIG, 1).map((bytes, at) => {
          const block = common.Block.deserializeBinary(bytes);
          block.getHeader()?.setNumber(at);
          return block.serializeBinary();
        }),
        CONFIG,
      ),
    CONFIG,
    'SIGNATURE_WRONG',
  ],
  [
    'an older last config in what orderers have signed',
    (c) =>
      changed(c, CONFIG + 1, (block) =>
        changeSignatures(block, (metadata) => {
          const value = common.OrdererBlockMetadata.deserializeBinary(metadata.getValue_asU8());
          value.getLastConfig()?.setIndex(0);
          metadata.setValue(value.serializeBinary());
        }),
      ),
    CONFIG + 1,
    'SIGNATURE_WRONG',
  ],
  [
    'an older last config in the slot that nobody signs',
    (c) => changed(c, CONFIG + 1, (block) => setSlot(block, 'lastConfig', new Uint8Array())),
    CONFIG + 1,
    'LAST_CONFIG_WRONG',
  ],
];

const onSignatures = (
  chain: Chain,
  change: (metadata: common.Metadata, all: common.MetadataSignature[]) => void,
  at = AT,
): Chain => changed(chain, at, (block) => changeSignatures(block, change));

const SIGNATURES: readonly Tampering[] = [
  [
    'a byte of the signature',
    (c) => onSignatures(c, (_, [one]) => one?.setSignature(flipped(one.getSignature_asU8(), 20))),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'a signature with a high S',
    (c) => onSignatures(c, (_, [one]) => one?.setSignature(highS(one.getSignature_asU8()))),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'no signature',
    (c) => onSignatures(c, (m) => m.setSignaturesList([])),
    AT,
    'SIGNATURES_TOO_FEW',
  ],
  [
    'the signature of another block',
    (c) =>
      changed(c, AT, (block) =>
        setSlot(block, 'signatures', slotOf(blockAt(c, AT + 1), 'signatures')),
      ),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    "a foreign orderer's signature",
    (c) => onSignatures(c, (_, [one]) => one?.setSignature(foreignSignature(Buffer.from('x')))),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'a signer that is a client',
    (c) =>
      onSignatures(c, (_, [one]) => {
        const header = common.SignatureHeader.deserializeBinary(
          one?.getSignatureHeader_asU8() ?? new Uint8Array(),
        );
        const [entry = new Uint8Array()] = entriesOf(blockAt(c, AT));
        header.setCreator(creatorOf(entry).serializeBinary());
        one?.setSignatureHeader(header.serializeBinary());
      }),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'a byte of the nonce behind which the orderer has signed',
    (c) =>
      onSignatures(c, (_, [one]) => {
        const header = one?.getSignatureHeader_asU8() ?? new Uint8Array();
        one?.setSignatureHeader(flipped(header, header.length - 1));
      }),
    AT,
    'SIGNATURE_WRONG',
  ],
  [
    'no slot of signatures',
    (c) => changed(c, AT, (block) => setSlot(block, 'signatures', new Uint8Array())),
    AT,
    'SIGNATURES_TOO_FEW',
  ],
];

const BYTES: readonly Tampering[] = [
  [
    'something behind the block',
    (c) => replaced(c, AT, Uint8Array.of(...(c[AT] ?? []), 0x7a, 0x01, 0x00)),
    AT,
    'BLOCK_NOT_CANONICAL',
  ],
  [
    'a block cut short',
    (c) => replaced(c, AT, (c[AT] ?? c[0])?.slice(0, -5) ?? new Uint8Array()),
    AT,
    'BLOCK_UNREADABLE',
  ],
  [
    'bytes that are no block',
    (c) => replaced(c, AT, Buffer.from('no block')),
    AT,
    'BLOCK_UNREADABLE',
  ],
  [
    'a slot filled that has no use',
    (c) => changed(c, AT, (block) => setSlot(block, 'orderer', Uint8Array.of(10, 1, 1))),
    AT,
    'BLOCK_NOT_CANONICAL',
  ],
  [
    'a slot of the metadata too many',
    (c) =>
      changed(c, AT, (block) => {
        block.getMetadata()?.addMetadata(Uint8Array.of(10, 1, 1));
      }),
    AT,
    'BLOCK_NOT_CANONICAL',
  ],
  [
    'something beside the commit hash',
    (c) =>
      changed(c, AT, (block) =>
        setSlot(block, 'commitHash', Uint8Array.of(...slotOf(block, 'commitHash'), 0x12, 0x00)),
      ),
    AT,
    'BLOCK_NOT_CANONICAL',
  ],
];

const ALL = [...HEADERS, ...DATA, ...CODES, ...CHAINS, ...SIGNATURES, ...BYTES];

describe('an honest channel', () => {
  test.each([
    ['raft', raft],
    ['bft', bft],
  ] as const)('of the profile %s has no finding, the state followed or not', (_, each) => {
    for (const replay of [false, true]) {
      const reports = verifyAll(each.chain, each, { replay });
      expect(reports.flatMap(({ findings }) => findings)).toEqual([]);
      expect(reports.map(({ hash }) => hash)).toEqual(
        each.expected.blocks.map(({ headerHash }) => headerHash),
      );
    }
  });

  test('has doubts only where blocks alone prove nothing, and says which', () => {
    const doubts = (replay: boolean): DoubtCode[] =>
      verifyAll(raft.chain, raft, { replay }).flatMap((r) => r.doubts.map((d) => d.code));
    expect(new Set(doubts(false))).toEqual(new Set(['CODE_UNPROVEN', 'EARLIER_STATE_NEEDED']));
    expect(doubts(true).length).toBeLessThan(doubts(false).length);
  });

  test('whose first block nobody has pinned is trusted at first use, which is said', () => {
    const [first] = verifyAll(raft.chain, raft, { genesisHash: null });
    expect(first?.verdict).toBe('unverifiable');
    expect(first?.doubts.map(({ code }) => code)).toEqual(['GENESIS_NOT_PINNED']);
  });

  test('that begins behind its first block is not proven, and has no finding', () => {
    const reports = verifyAll(raft.chain.slice(AT), raft);
    expect(reports[0]?.doubts.map(({ code }) => code)).toContain('START_NOT_PROVEN');
    expect(new Set(reports.map(({ verdict }) => verdict))).toEqual(new Set(['unverifiable']));
    expect(reports.flatMap(({ findings }) => findings)).toEqual([]);
  });

  test('cut at its tail is proven up to a stated height, and not further', () => {
    const reports = verifyAll(raft.chain.slice(0, AT), raft);
    expect(reports.at(-1)?.number).toBe(BigInt(AT - 1));
    expect(firstFinding(reports)).toBeNull();
  });
});

describe('tampering', () => {
  test(`is tried in at least 40 kinds`, () => {
    expect(new Set(ALL.map(([what]) => what)).size).toBeGreaterThanOrEqual(40);
  });

  test.each(ALL)('by %s is found', (_, make, block, code) => {
    // What comes behind the first finding is not looked at.
    const reports = verifyAll(make(raft.chain).slice(0, Math.max(block, AT) + 2), raft);
    expect(firstFinding(reports)).toEqual([BigInt(block), code]);
  });

  test('with endorsements is found by the creator, too, whoever signs the block', () => {
    const chain = withEntries(
      raft.chain,
      AT,
      ([e = new Uint8Array()]) => [reendorsed(e, swapped)],
      true,
    );
    const codes = verifyAll(chain, raft)[AT]?.findings.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['SIGNATURE_WRONG', 'CODE_WRONG']));
  });

  test('with a code and all later commit hashes is said to be unprovable by blocks alone', () => {
    const chain = recommitted(withCode(raft.chain, AT, 0, MVCC), AT);
    const reports = verifyAll(chain, raft);
    expect(firstFinding(reports)).toBeNull();
    expect(reports[AT]?.doubts).toMatchObject([{ code: 'CODE_UNPROVEN', block: BigInt(AT) }]);
  });

  test('with a code and all later commit hashes is found when the state is followed', () => {
    const chain = recommitted(withCode(raft.chain, AT, 0, MVCC), AT);
    const reports = verifyAll(chain, raft, { replay: true });
    expect(firstFinding(reports)).toEqual([BigInt(AT), 'CODE_WRONG']);
    const other = recommitted(withCode(raft.chain, CONFLICT, 0, 0), CONFLICT);
    const found = verifyAll(other, raft, { replay: true });
    expect(firstFinding(found)).toEqual([BigInt(CONFLICT), 'CODE_WRONG']);
  });

  test('with a transaction of an earlier block, put in again, is found when ids are followed', () => {
    const [entry = new Uint8Array()] = entriesOf(blockAt(raft.chain, AT));
    const again = withEntries(raft.chain, AT + 1, () => [entry], true);
    const codesAt = (chain: Chain, replay: boolean): string[] =>
      (verifyAll(chain, raft, { replay })[AT + 1]?.findings ?? [])
        .filter(({ code }) => code === 'CODE_WRONG')
        .map(({ sentence }) => sentence);
    const why = 'It has the id of one in an earlier block, and is told to have code 0.';
    expect(codesAt(again, true)).toEqual([why]);
    const refused = withCode(again, AT + 1, 0, DUPLICATE);
    expect(codesAt(refused, true)).toEqual([]);
  });

  test('with the code of a repeated id is found when ids are followed, and a doubt if not', () => {
    const chain = recommitted(withCode(raft.chain, AT, 0, DUPLICATE), AT);
    const found = verifyAll(chain, raft, { replay: true })[AT]?.findings;
    const sentence = 'No transaction before it has its id, and its code is 9.';
    expect(found).toMatchObject([{ code: 'CODE_WRONG', sentence }]);
    const { findings, doubts } = verifyAll(chain, raft)[AT] ?? {};
    expect([findings, doubts]).toMatchObject([[], [{ code: 'CODE_UNPROVEN' }]]);
  });

  test('with the code of a repeated id on one that is refused for its endorsements is, too', () => {
    const chain = recommitted(withCode(raft.chain, REFUSED, 0, DUPLICATE), REFUSED);
    const found = verifyAll(chain, raft, { replay: true })[REFUSED]?.findings;
    expect(found).toMatchObject([{ code: 'CODE_WRONG' }]);
    const { findings, doubts } = verifyAll(chain, raft)[REFUSED] ?? {};
    expect([findings, doubts]).toMatchObject([[], [{ code: 'CODE_UNPROVEN' }]]);
  });

  test('has the codes in the bytes that it thinks', () => {
    expect([...codeAt(AT)]).toEqual([0]);
    expect([...codeAt(CONFLICT)]).toEqual([MVCC]);
  });
});

describe('four orderers that may lie', () => {
  const at = 9;
  const signatures = (change: (all: common.MetadataSignature[]) => common.MetadataSignature[]) =>
    changed(bft.chain, at, (block) =>
      changeSignatures(block, (metadata, all) => {
        metadata.setSignaturesList(change(all));
      }),
    );

  test('need a quorum of three', () => {
    const two = verifyAll(
      signatures((all) => all.slice(0, 2)),
      bft,
    );
    expect(firstFinding(two)).toEqual([BigInt(at), 'SIGNATURES_TOO_FEW']);
    const three = verifyAll(
      signatures((all) => all.slice(0, 3)),
      bft,
    );
    expect(firstFinding(three)).toBeNull();
  });

  test('count once each, however often one signs', () => {
    const repeated = signatures(([one, two]) =>
      [one, two, one, two].filter((s) => s !== undefined),
    );
    expect(firstFinding(verifyAll(repeated, bft))?.[1]).toBe('SIGNATURES_TOO_FEW');
  });

  test('sign for themselves: under the number of another one, a signature is wrong', () => {
    const swapped = signatures((all) => {
      const [one, two] = all;
      const first = one?.getIdentifierHeader_asU8() ?? new Uint8Array();
      one?.setIdentifierHeader(two?.getIdentifierHeader_asU8() ?? first);
      two?.setIdentifierHeader(first);
      return all;
    });
    expect(firstFinding(verifyAll(swapped, bft))?.[1]).toBe('SIGNATURE_WRONG');
  });
});

describe('a flipped bit', () => {
  const SEEDS = Number(process.env.SHUTTLE_FLIPS ?? 500);

  /** Numbers that look thrown, and are the same each time. */
  function* thrown(seed: number): Generator<number> {
    let state = seed;
    for (;;) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      yield state;
    }
  }

  test.each([
    ['raft', raft],
    ['bft', bft],
  ] as const)('anywhere in the %s channel is found at its block', (_, { chain, expected }) => {
    const numbers = thrown(20_261_121);
    const next = (below: number): number => Number(numbers.next().value) % below;
    const { genesisHash, channel } = expected;
    const verifier = createVerifier({ genesisHash, channel });
    const missed: string[] = [];
    for (const [at, bytes] of chain.entries()) {
      for (let n = 0; n * chain.length < SEEDS; n++) {
        const [byte, bit] = [next(bytes.length), next(8)];
        const fork = verifier.fork();
        const { verdict } = fork.verify(flipped(bytes, byte, bit));
        // What is signed in the next block alone, the hash of this one, is found there.
        const following = chain[at + 1];
        const isFound =
          verdict === 'failed' ||
          (following !== undefined && fork.verify(following).verdict === 'failed');
        if (!isFound) {
          missed.push(`block ${at}, byte ${byte}, bit ${bit}`);
        }
      }
      verifier.verify(bytes);
    }
    expect(missed).toEqual([]);
  });
});
