/**
 * A channel's history with everything that a verifier has to cope with. Each transaction is sent
 * with the code that it must get, so a history that went another way is never recorded.
 */
import { common, peer } from '@hyperledger/fabric-protos';
import type { Network } from '@shuttle/network';
import * as broken from './broken-envelopes.ts';
import type { ChainReader, Position } from './chain-reader.ts';
import * as changes from './channel-changes.ts';
import type { Issued } from './issued-identity.ts';
import type { Call, RawLedger } from './raw-ledger.ts';

/** The name of a validation code. */
export type Code = keyof peer.TxValidationCodeMap;

/** One transaction of the history. */
export interface RecordedTransaction extends Position {
  /** What it is, in words. */
  readonly what: string;
}

/** Who takes part; closed by whoever opened them. */
export interface Actors {
  readonly org1: RawLedger;
  readonly org2: RawLedger;
  /** Of the first organisation; its certificate ends while the history goes on. */
  readonly expiring: RawLedger;
  /** Of the second organisation; its certificate is revoked by the history. */
  readonly revoked: RawLedger;
  readonly revocation: Issued['revocation'];
}

/** What the history works with. */
export interface Stage {
  readonly network: Network;
  readonly actors: Actors;
  readonly chain: ChainReader;
  /** The chaincode of a recorded channel: its folder, deployed as `recorded`. */
  readonly chaincode: string;
  readonly noted: RecordedTransaction[];
}

const CHAINCODE = 'recorded';
const BOTH = ['Org1MSP', 'Org2MSP'];

/** A part of the history; the chaincodes `recorded` and `shuttle` are there. */
export type Scene = (stage: Stage) => Promise<void>;

/** Plays the history, whole or in short. */
export async function playHistory(stage: Stage, length: 'whole' | 'short'): Promise<void> {
  for (const scene of SCENES[length]) await scene(stage);
}

function isRaft({ network }: Stage): boolean {
  return network.description.options.profile === 'raft';
}

function put(key: string, value = key): Omit<Call, 'chaincode'> {
  return { transaction: 'put', arguments: [key, value], endorsers: BOTH };
}

function call(transaction: string, ...args: string[]): Omit<Call, 'chaincode'> {
  return { transaction, arguments: args, endorsers: BOTH };
}

type Made = Omit<Call, 'chaincode'> | common.Envelope;

/** Sends one transaction, waits for it, and notes it if it got the code that it must get. */
async function send(
  stage: Stage,
  what: string,
  ledger: RawLedger,
  made: Made,
  code: Code = 'VALID',
): Promise<void> {
  const envelope =
    made instanceof common.Envelope
      ? made
      : await ledger.endorse({ chaincode: CHAINCODE, ...made });
  await ledger.submit(envelope);
  const found = (await stage.chain.find(envelope)).at(-1);
  note(stage, what, found === undefined ? [] : [found], [code]);
}

/** Sends several at once; what they get is known, who gets it is not. */
async function sendTogether(
  stage: Stage,
  what: string,
  envelopes: readonly common.Envelope[],
  codes: readonly Code[],
): Promise<void> {
  const { org1 } = stage.actors;
  await Promise.all(envelopes.map((envelope) => org1.submit(envelope)));
  const found = await Promise.all(envelopes.map((envelope) => stage.chain.find(envelope)));
  note(stage, what, found.flat(), codes);
}

function note(
  stage: Stage,
  what: string,
  positions: readonly Position[],
  codes: readonly Code[],
): void {
  const got = positions.map(({ code }) => code).sort((a, b) => a - b);
  const due = codes.map((name) => peer.TxValidationCode[name]).sort((a, b) => a - b);
  if (got.join() !== due.join()) {
    throw new Error(`"${what}" got ${got.join()}, not ${due.join()} (${codes.join()})`);
  }
  stage.noted.push(...positions.map((position) => ({ what, ...position })));
}

async function endingIdentities(stage: Stage): Promise<void> {
  const { expiring, revoked } = stage.actors;
  await send(stage, 'of a certificate that has expired', expiring, put('of-the-expired'));
  await send(stage, 'of a certificate that is revoked later', revoked, put('of-the-revoked'));
}

async function values(stage: Stage): Promise<void> {
  const { org1, org2 } = stage.actors;
  const shuttle = (transaction: string, ...args: string[]): Call => ({
    chaincode: 'shuttle',
    ...call(transaction, ...args),
  });
  const direct = (made: Call) => org1.endorse(made);
  await send(stage, 'a document set', org1, await direct(shuttle('setData', 'direct', '{"n":1}')));
  await send(stage, 'a document set anew', org2, await direct(shuttle('setData', 'direct', '2')));
  await send(stage, 'a document deleted', org1, await direct(shuttle('deleteData', 'direct')));
  const many = Array.from({ length: 12 }, (_, n) =>
    org1.endorse({ chaincode: CHAINCODE, ...put(`many/${n}`) }),
  );
  const valid = many.map((): Code => 'VALID');
  await sendTogether(stage, 'one of many in a block', await Promise.all(many), valid);
  await send(stage, 'a value deleted', org1, call('remove', 'many/3'));
  await send(stage, 'a key deleted that never was', org1, call('remove', 'never'));
  await send(stage, 'nothing written', org1, call('read', 'many/4'));
  await send(stage, 'an empty value', org1, put('empty', ''));
}

async function conflicts(stage: Stage): Promise<void> {
  const { org1, org2 } = stage.actors;
  const bump = (ledger: RawLedger) =>
    ledger.endorse({ chaincode: CHAINCODE, ...call('bump', 'counter') });
  await send(stage, 'a counter', org1, put('counter', '0'));
  const [first, stale] = [await bump(org1), await bump(org2)];
  await send(stage, 'a counter counted', org1, first);
  await send(stage, 'a stale read', org2, stale, 'MVCC_READ_CONFLICT');
  const both = [await bump(org1), await bump(org2)];
  await sendTogether(stage, 'one of two that count', both, ['VALID', 'MVCC_READ_CONFLICT']);
  await send(stage, 'a key in a range', org1, put('range/1'));
  const range = call('count', 'range/', 'range0', 'counted');
  const counted = await org1.endorse({ chaincode: CHAINCODE, ...range });
  await send(stage, 'a range counted', org1, range);
  await send(stage, 'a key that comes into a range', org2, put('range/new'));
  await send(stage, 'a range with a phantom', org1, counted, 'PHANTOM_READ_CONFLICT');
}

async function endorsements(stage: Stage): Promise<void> {
  const { org1 } = stage.actors;
  const alone = { ...put('alone'), endorsers: ['Org1MSP'] };
  const failure: Code = 'ENDORSEMENT_POLICY_FAILURE';
  await send(stage, 'endorsed by one of two', org1, alone, failure);
  const ways = [
    ['one endorsement twice', broken.withOneEndorsementTwice],
    ['signatures of endorsers swapped', broken.withSwappedSignatures],
    ['another answer than was endorsed', broken.withAnotherAnswer],
  ] as const;
  for (const [what, way] of ways) {
    const endorsed = await org1.endorse({ chaincode: CHAINCODE, ...put('badly-endorsed') });
    await send(stage, what, org1, await org1.sign(way(endorsed)), failure);
  }
}

async function keyLevelPolicies(stage: Stage): Promise<void> {
  const { org1, org2 } = stage.actors;
  const by = (mspId: string, made: Omit<Call, 'chaincode'>) => ({ ...made, endorsers: [mspId] });
  const failure: Code = 'ENDORSEMENT_POLICY_FAILURE';
  await send(stage, 'a key', org1, put('guarded'));
  await send(stage, "a key's policy alone", org1, call('guard', 'guarded', 'Org1MSP'));
  const again = put('guarded', 'again');
  await send(stage, "endorsed by whom the key's policy names", org1, by('Org1MSP', again));
  await send(stage, 'not endorsed so', org2, by('Org2MSP', again), failure);
  const moved = by('Org1MSP', call('guard', 'guarded', 'Org2MSP'));
  await send(stage, "a key's policy replaced", org1, moved);
  await send(stage, 'by the old policy', org1, by('Org1MSP', again), failure);
  await send(stage, 'by the new policy', org2, by('Org2MSP', again));
  const both = call('putGuarded', 'guarded-at-once', 'value', 'Org2MSP');
  await send(stage, 'value and policy at once', org1, both);
  const removed = by('Org2MSP', call('remove', 'guarded-at-once'));
  await send(stage, 'a guarded key deleted', org2, removed);
  await send(stage, 'its value set anew', org1, put('guarded-at-once'));
}

async function privateData(stage: Stage): Promise<void> {
  const { org1 } = stage.actors;
  const own = { endorsers: ['Org1MSP'] };
  const value = Buffer.from('kept by one organisation');
  const hide = (key: string) => ({ ...call('hide', 'Org1MSP', key), ...own, transient: { value } });
  await send(stage, 'private data', org1, hide('secret'));
  await send(stage, 'more private data', org1, hide('other'));
  const removed = { ...call('removeHidden', 'Org1MSP', 'secret'), ...own };
  await send(stage, 'private data deleted', org1, removed);
  const purged = { ...call('purgeHidden', 'Org1MSP', 'other'), ...own };
  await send(stage, 'private data purged', org1, purged);
}

async function brokenOnes(stage: Stage): Promise<void> {
  const { org1 } = stage.actors;
  const ways: [string, Code, (envelope: common.Envelope) => Uint8Array][] = [
    ['another transaction id', 'BAD_PROPOSAL_TXID', broken.withAnotherTxId],
    ['garbage', 'INVALID_ENDORSER_TRANSACTION', broken.withGarbage],
    ['nothing inside', 'INVALID_ENDORSER_TRANSACTION', broken.withoutData],
  ];
  // SmartBFT orders nothing but transactions.
  if (isRaft(stage)) ways.push(['no transaction', 'BAD_COMMON_HEADER', broken.withoutItsType]);
  for (const [what, code, way] of ways) {
    const endorsed = await org1.endorse({ chaincode: CHAINCODE, ...put('broken') });
    await send(stage, what, org1, await org1.sign(way(endorsed)), code);
  }
}

async function duplicates(stage: Stage): Promise<void> {
  // SmartBFT never orders a request again that it has ordered lately.
  if (!isRaft(stage)) return;
  const { org1 } = stage.actors;
  const envelope = await org1.endorse({ chaincode: CHAINCODE, ...put('twice') });
  await Promise.all([org1.submit(envelope), org1.submit(envelope)]);
  const found = await stage.chain.find(envelope, 2);
  note(stage, 'one transaction twice', found, ['VALID', 'DUPLICATE_TXID']);
  await org1.submit(envelope);
  const last = (await stage.chain.find(envelope, 3)).slice(2);
  note(stage, 'a third time, in a later block', last, ['DUPLICATE_TXID']);
}

async function upgrade(stage: Stage): Promise<void> {
  const { network, actors, chaincode: folder } = stage;
  const { org1, org2 } = actors;
  const before = await org1.endorse({ chaincode: CHAINCODE, ...put('before') });
  const policy = "OR('Org1MSP.peer','Org2MSP.peer')";
  await network.deploy({ folder, name: CHAINCODE, version: '2.0.0', policy });
  const stale: Code = 'MVCC_READ_CONFLICT';
  await send(stage, 'endorsed before an upgrade', org1, before, stale);
  for (const [ledger, mspId] of [
    [org1, 'Org1MSP'],
    [org2, 'Org2MSP'],
  ] as const) {
    const alone = { ...put(`upgraded/${mspId}`), endorsers: [mspId] };
    await send(stage, `endorsed by ${mspId} alone, as the new policy allows`, ledger, alone);
  }
}

async function smallerBlocks(stage: Stage): Promise<void> {
  const { network, actors } = stage;
  await network.updateChannel(changes.cutBlocksAt(3));
  const many = Array.from({ length: 7 }, (_, n) =>
    actors.org1.endorse({ chaincode: CHAINCODE, ...put(`three/${n}`) }),
  );
  const valid = many.map((): Code => 'VALID');
  await sendTogether(stage, 'one of three in a block', await Promise.all(many), valid);
}

async function revocation(stage: Stage): Promise<void> {
  const { network, actors } = stage;
  await network.updateChannel(changes.revoke('Org2MSP', actors.revocation));
  await send(stage, 'after a certificate was revoked', actors.org2, put('revoked'));
}

async function blockPolicy(stage: Stage): Promise<void> {
  // With SmartBFT this policy follows the consenters.
  if (!isRaft(stage)) return;
  await stage.network.updateChannel(changes.validateBlocksByRole);
  await send(stage, 'in a block that a role signs', stage.actors.org1, put('by-role'));
}

async function endorsementPolicy(stage: Stage): Promise<void> {
  const { network, actors } = stage;
  const alone = (): Promise<common.Envelope> =>
    actors.org1.endorse({
      chaincode: 'shuttle',
      ...call('setData', 'endorsed-by-one', '{}'),
      endorsers: ['Org1MSP'],
    });
  const failure: Code = 'ENDORSEMENT_POLICY_FAILURE';
  const what = "against the channel's endorsement policy";
  await send(stage, what, actors.org1, await alone(), failure);
  await network.updateChannel(changes.endorseByAny);
  await send(stage, "as the channel's new policy allows", actors.org1, await alone());
}

async function thirdOrganization(stage: Stage): Promise<void> {
  await stage.network.updateChannel(changes.addOrganization('Org3MSP', 'Org2MSP'));
  await send(stage, 'with a third organisation', stage.actors.org2, put('last'));
}

const SCENES: Readonly<Record<'whole' | 'short', readonly Scene[]>> = {
  whole: [
    endingIdentities,
    values,
    conflicts,
    endorsements,
    keyLevelPolicies,
    privateData,
    brokenOnes,
    duplicates,
    upgrade,
    smallerBlocks,
    revocation,
    blockPolicy,
    endorsementPolicy,
    thirdOrganization,
  ],
  short: [endingIdentities, conflicts, keyLevelPolicies, upgrade, revocation, endorsementPolicy],
};
