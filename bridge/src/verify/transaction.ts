/**
 * The validation code that a transaction must have, by everything that does not need the ledger's
 * state. The checks come in the order in which a peer makes them, and the first that fails decides.
 * Source: Fabric's core/common/validation, core/committer/txvalidator/v20 and
 * core/common/validation/statebased.
 */
import { createHash } from 'node:crypto';
import type { ChannelConfig } from './config.ts';
import type { Definitions } from './definitions.ts';
import {
  type ChannelHeader,
  type EndorsedAction,
  HEADER_TYPES,
  type Payload,
  readAction,
  readChaincodeId,
  readChannelHeader,
  readEnvelope,
  readPayload,
  readSignatureHeader,
  readSimulation,
  type Simulation,
} from './envelope.ts';
import { type DoubtCode, Unprovable } from './findings.ts';
import { type KeyPolicies, nameOf } from './key-policies.ts';
import type { Identity } from './msp.ts';
import type { Policy } from './policy.ts';
import { type AccessSet, readAccessSets } from './rwset.ts';
import { bytesField } from './wire.ts';

/** peer.TxValidationCode, as far as it is decided here. */
export const CODES = {
  VALID: 0,
  BAD_PAYLOAD: 2,
  BAD_COMMON_HEADER: 3,
  BAD_CREATOR_SIGNATURE: 4,
  INVALID_ENDORSER_TRANSACTION: 5,
  UNSUPPORTED_TX_PAYLOAD: 7,
  BAD_PROPOSAL_TXID: 8,
  DUPLICATE_TXID: 9,
  ENDORSEMENT_POLICY_FAILURE: 10,
  MVCC_READ_CONFLICT: 11,
  PHANTOM_READ_CONFLICT: 12,
  BAD_HEADER_EXTENSION: 19,
  BAD_RESPONSE_PAYLOAD: 21,
  BAD_RWSET: 22,
  ILLEGAL_WRITESET: 23,
  INVALID_CHAINCODE: 25,
  INVALID_OTHER_REASON: 255,
} as const;

const { CONFIG, CONFIG_UPDATE, ENDORSER_TRANSACTION } = HEADER_TYPES;

/** What is known when the transactions of a block are judged: the state before the block. */
export interface Context {
  readonly config: ChannelConfig;
  readonly definitions: Definitions;
  readonly keyPolicies: KeyPolicies;
  /** Keys whose policies earlier transactions of the block have changed. */
  readonly changedPolicies: Set<string>;
}

/** `passes`: whatever does not need state is right. `refused`: this is the code. */
export type Judgement =
  | {
      readonly kind: 'passes';
      readonly header: ChannelHeader;
      readonly sets: readonly AccessSet[];
    }
  | {
      readonly kind: 'refused';
      readonly code: number;
      readonly sentence: string;
      readonly header: ChannelHeader | null;
      /** A peer had looked for the transaction's id on the ledger before. */
      readonly isBehindIds: boolean;
    }
  | {
      readonly kind: 'unknown';
      readonly doubt: DoubtCode;
      readonly sentence: string;
      readonly header: ChannelHeader | null;
      /** What it writes if it is valid; null when that is not known either. */
      readonly sets: readonly AccessSet[] | null;
    };

class Refused extends Error {
  readonly code: number;
  constructor(code: number, sentence: string) {
    super(sentence);
    this.code = code;
  }
}

/** Judges one entry of a block. Never throws. */
export function judgeEntry(entry: Uint8Array, context: Context): Judgement {
  const seen: Seen = { header: null, sets: null, isBehindIds: false };
  try {
    judge(entry, context, seen);
    const { header, sets } = seen;
    return { kind: 'passes', header: header as ChannelHeader, sets: sets ?? [] };
  } catch (error) {
    if (error instanceof Refused) {
      const { code, message: sentence } = error;
      return {
        kind: 'refused',
        code,
        sentence,
        header: seen.header,
        isBehindIds: seen.isBehindIds,
      };
    }
    const isKnown = error instanceof Unprovable;
    const doubt = isKnown ? error.code : 'POLICY_UNKNOWN';
    const sentence = isKnown ? error.message : `It cannot be judged: ${String(error)}.`;
    return { kind: 'unknown', doubt, sentence, header: seen.header, sets: seen.sets };
  }
}

/** How far the judging has come. */
interface Seen {
  header: ChannelHeader | null;
  sets: readonly AccessSet[] | null;
  isBehindIds: boolean;
}

function judge(entry: Uint8Array, context: Context, seen: Seen): void {
  const envelope = orRefused(CODES.INVALID_OTHER_REASON, () => readEnvelope(entry));
  const payload = orRefused(CODES.BAD_PAYLOAD, () => readPayload(envelope.payload));
  const { header, channelBytes, creator, nonce } = orRefused(CODES.BAD_COMMON_HEADER, () =>
    readHeaders(payload),
  );
  seen.header = header;
  const { members } = context.config;
  const { payload: message, signature } = envelope;
  const refusal = members.refusal({ identity: creator, message: [message], signature });
  if (refusal !== null) {
    throw new Refused(CODES.BAD_CREATOR_SIGNATURE, `Its creator has not signed it: ${refusal}.`);
  }
  if (header.type === CONFIG) {
    return;
  }
  if (header.type !== ENDORSER_TRANSACTION) {
    throw new Refused(CODES.UNSUPPORTED_TX_PAYLOAD, `It is of the type ${header.type}.`);
  }
  if (header.txId !== createHash('sha256').update(nonce).update(creator).digest('hex')) {
    throw new Refused(CODES.BAD_PROPOSAL_TXID, 'Its id is not that of its creator and nonce.');
  }
  const action = readProposal(payload, channelBytes);
  seen.isBehindIds = true;
  const simulation = readOutcome(header, action);
  seen.sets = orRefused(CODES.BAD_RWSET, () => readAccessSets(simulation.results));
  checkNamespaces(seen.sets);
  judgeEndorsements(seen.sets, simulation, action, context);
}

interface Headers {
  readonly header: ChannelHeader;
  readonly channelBytes: Buffer;
  readonly creator: Buffer;
  readonly nonce: Buffer;
}

function readHeaders({ header: bytes }: Payload): Headers {
  if (bytes === null) {
    throw new Error('there is no header');
  }
  const channelBytes = bytesField(bytes, 1);
  const header = readChannelHeader(channelBytes);
  const { creator, nonce } = readSignatureHeader(bytesField(bytes, 2));
  const isKnown = [ENDORSER_TRANSACTION, CONFIG_UPDATE, CONFIG].includes(header.type);
  if (!isKnown || header.epoch !== 0n || nonce.length === 0 || creator.length === 0) {
    throw new Error('the header lacks something');
  }
  return { header, channelBytes, creator, nonce };
}

/** The endorsed action belongs to the proposal that its header tells. */
function readProposal({ data }: Payload, channelBytes: Buffer): EndorsedAction {
  return orRefused(CODES.INVALID_ENDORSER_TRANSACTION, () => {
    const action = readAction(data);
    const { creator, nonce } = readSignatureHeader(action?.signatureHeader ?? Buffer.alloc(0));
    if (action === null || creator.length === 0 || nonce.length === 0) {
      throw new Error('there is not exactly one action with a header');
    }
    const hash = createHash('sha256')
      .update(channelBytes)
      .update(action.signatureHeader)
      .update(action.proposalPayload)
      .digest();
    if (!hash.equals(bytesField(action.responsePayload, 1))) {
      throw new Error('the endorsers have answered another proposal');
    }
    return action;
  });
}

function readOutcome(header: ChannelHeader, action: EndorsedAction): Simulation {
  // A field of the extension that is no chaincode id is refused as such.
  const invoked = orRefused(CODES.BAD_HEADER_EXTENSION, () => readChaincodeId(header.extension, 2));
  const simulation = orRefused(CODES.BAD_RESPONSE_PAYLOAD, () =>
    readSimulation(action.responsePayload),
  );
  const { chaincode, events } = simulation;
  if (invoked === null || chaincode === null) {
    throw new Refused(CODES.INVALID_OTHER_REASON, 'It names no chaincode.');
  }
  if (invoked.name === '' || invoked.name !== chaincode.name || chaincode.version === '') {
    const sentence = `It called ${invoked.name}, and ${chaincode.name} has answered.`;
    throw new Refused(CODES.INVALID_CHAINCODE, sentence);
  }
  if (events.length > 0 && bytesField(events, 1).toString('utf8') !== chaincode.name) {
    throw new Refused(CODES.INVALID_OTHER_REASON, 'Its event is of another chaincode.');
  }
  return simulation;
}

function checkNamespaces(sets: readonly AccessSet[]): void {
  const names = sets
    .filter(({ collection }) => collection === '')
    .map(({ namespace }) => namespace);
  if (new Set(names).size < names.length) {
    throw new Refused(CODES.ILLEGAL_WRITESET, 'A namespace stands twice in its write set.');
  }
}

function judgeEndorsements(
  sets: readonly AccessSet[],
  { chaincode }: Simulation,
  { responsePayload, endorsements }: EndorsedAction,
  context: Context,
): void {
  const signers = context.config.members.signersOf(
    endorsements.map(({ endorser, signature }) => ({
      identity: endorser,
      message: [responsePayload, endorser],
      signature,
    })),
  );
  const written = sets.filter((set) => set.writes.length + set.metadataWrites.length > 0);
  const namespaces = new Set([chaincode?.name ?? '', ...written.map((set) => set.namespace)]);
  for (const namespace of namespaces) {
    judgeNamespace(
      namespace,
      written.filter((set) => set.namespace === namespace),
      signers,
      context,
    );
  }
  for (const { namespace, collection, metadataWrites } of written) {
    for (const { key } of metadataWrites) {
      context.changedPolicies.add(nameOf(namespace, collection, key));
    }
  }
}

/** Each policy that governs something written, and the chaincode's own when nothing else did. */
function judgeNamespace(
  namespace: string,
  sets: readonly AccessSet[],
  signers: readonly Identity[],
  context: Context,
): void {
  const { config, definitions } = context;
  const checked = new Set<string>();
  const check = (policy: Policy | null, what: string): void => {
    checked.add(what);
    if (policy === null || !policy(signers)) {
      const sentence = `Its endorsements do not satisfy the policy of ${what}.`;
      throw new Refused(CODES.ENDORSEMENT_POLICY_FAILURE, sentence);
    }
  };
  for (const set of sets) {
    const { collection } = set;
    const what = collection === '' ? namespace : `${namespace}'s collection ${collection}`;
    for (const key of keysToCheck(set, context)) {
      const own = keyPolicy(namespace, collection, key, context);
      if (own !== null) {
        check(own, 'a key');
      } else if (!checked.has(what)) {
        check(definitions.policyOf(config, namespace, collection), what);
      }
    }
  }
  if (checked.size === 0) {
    check(definitions.policyOf(config, namespace, ''), namespace);
  }
}

/** Where no key has a policy of its own, one stands for all. */
function keysToCheck({ writes, metadataWrites }: AccessSet, context: Context): readonly Buffer[] {
  const hasPolicies = !context.keyPolicies.isEmpty || context.changedPolicies.size > 0;
  const most = hasPolicies ? undefined : 1;
  return [...writes.keys(most), ...metadataWrites.slice(0, most).map(({ key }) => key)];
}

function keyPolicy(
  namespace: string,
  collection: string,
  key: Buffer,
  { config, keyPolicies, changedPolicies }: Context,
): Policy | null {
  if (changedPolicies.size > 0 && changedPolicies.has(nameOf(namespace, collection, key))) {
    const sentence = 'Another transaction of the block has changed the policy of a key.';
    throw new Refused(CODES.ENDORSEMENT_POLICY_FAILURE, sentence);
  }
  return keyPolicies.policyOf(config.members, namespace, collection, key);
}

function orRefused<T>(code: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unprovable || error instanceof Refused) {
      throw error;
    }
    throw new Refused(code, `It cannot be read: ${(error as Error).message}.`);
  }
}
