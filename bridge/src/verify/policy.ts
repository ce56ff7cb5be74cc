/**
 * Policies over signatures. Source: Fabric's common/policies and common/cauthdsl: a signature
 * policy counts each identity once, and gives each to one principal, the first that it satisfies.
 */
import { common, msp as protos } from '@hyperledger/fabric-protos';
import { KEPT_BYTES_MAX } from './certificate.ts';
import { wrongSignature } from './ecdsa.ts';
import { Unprovable } from './findings.ts';
import type { Identity, Msp } from './msp.ts';

/** Something signed, with the identity that says it was it. */
export interface Signed {
  /** msp.SerializedIdentity. */
  readonly identity: Uint8Array;
  /** In pieces, so that nobody has to put large ones together. */
  readonly message: readonly Uint8Array[];
  readonly signature: Uint8Array;
}

export type Policy = (identities: readonly Identity[]) => boolean;

/** The organisations of a channel, by the id of their MSP. */
export class Members {
  private readonly msps: ReadonlyMap<string, Msp>;
  private readonly identities = new Map<string, Identity | string>();

  constructor(msps: readonly Msp[]) {
    this.msps = new Map(msps.map((msp) => [msp.id, msp]));
  }

  msp(id: string): Msp | undefined {
    return this.msps.get(id);
  }

  /** The identity, valid or not; or why it is none of the channel. @throws Unprovable */
  identityOf(serialized: Uint8Array): Identity | string {
    if (serialized.length > KEPT_BYTES_MAX) {
      return this.read(serialized);
    }
    const name = Buffer.from(
      serialized.buffer,
      serialized.byteOffset,
      serialized.byteLength,
    ).toString('latin1');
    let found = this.identities.get(name);
    if (found === undefined) {
      found = this.read(serialized);
      if (this.identities.size >= IDENTITIES_MAX) {
        this.identities.clear();
      }
      this.identities.set(name, found);
    }
    return found;
  }

  /** Why a signature is not one of a member; null when it is. @throws Unprovable */
  refusal({ identity: serialized, message, signature }: Signed): string | null {
    const identity = this.identityOf(serialized);
    if (typeof identity === 'string') {
      return identity;
    }
    const refusal = this.msps.get(identity.mspId)?.refuses(identity.certificate) ?? null;
    return refusal === null
      ? wrongSignature(identity.certificate, message, signature)
      : `the certificate is not valid: ${refusal}`;
  }

  /** Those whose signature is right, each once; if valid is for the policy. @throws Unprovable */
  signersOf(signed: readonly Signed[]): Identity[] {
    const signers: Identity[] = [];
    for (const { identity: serialized, message, signature } of signed) {
      const identity = this.identityOf(serialized);
      const isNew =
        typeof identity !== 'string' &&
        !signers.some(
          ({ mspId, certificate }) =>
            mspId === identity.mspId && certificate.id === identity.certificate.id,
        );
      if (isNew && wrongSignature(identity.certificate, message, signature) === null) {
        signers.push(identity);
      }
    }
    return signers;
  }

  private read(serialized: Uint8Array): Identity | string {
    try {
      const identity = protos.SerializedIdentity.deserializeBinary(serialized);
      const mspId = identity.getMspid();
      const msp = this.msps.get(mspId);
      return msp === undefined
        ? `there is no organisation ${mspId} on the channel`
        : { mspId, certificate: msp.read(identity.getIdBytes_asU8()) };
    } catch (error) {
      if (error instanceof Unprovable) {
        throw error;
      }
      return 'the identity is no certificate';
    }
  }
}

/** So many different signers are kept ready. */
const IDENTITIES_MAX = 10_000;

/** @throws Unprovable POLICY_UNKNOWN; Error when the policy is none that a peer would take */
export function signaturePolicy(
  members: Members,
  envelope: common.SignaturePolicyEnvelope,
): Policy {
  const rule = envelope.getRule();
  const principals = envelope.getIdentitiesList();
  if (rule === undefined) {
    throw new Unprovable('POLICY_UNKNOWN', 'A signature policy has no rule.');
  }
  const satisfied = compile(members, rule, principals);
  return (identities) =>
    satisfied(
      identities,
      identities.map(() => false),
    );
}

type Gate = (identities: readonly Identity[], used: boolean[]) => boolean;

function compile(
  members: Members,
  rule: common.SignaturePolicy,
  principals: readonly protos.MSPPrincipal[],
): Gate {
  const { TypeCase } = common.SignaturePolicy;
  if (rule.getTypeCase() === TypeCase.SIGNED_BY) {
    const principal = principals[rule.getSignedBy()];
    if (principal === undefined) {
      throw new Unprovable('POLICY_UNKNOWN', 'A signature policy names a principal it has not.');
    }
    return signedBy(members, principal);
  }
  const outOf = rule.getNOutOf();
  if (rule.getTypeCase() !== TypeCase.N_OUT_OF || outOf === undefined) {
    throw new Unprovable('POLICY_UNKNOWN', 'A signature policy is of an unknown kind.');
  }
  const gates = outOf.getRulesList().map((inner) => compile(members, inner, principals));
  return (identities, used) => {
    let satisfied = 0;
    for (const gate of gates) {
      const tried = [...used];
      if (gate(identities, tried)) {
        satisfied += 1;
        used.splice(0, used.length, ...tried);
      }
    }
    return satisfied >= outOf.getN();
  };
}

function signedBy(members: Members, principal: protos.MSPPrincipal): Gate {
  // Few sign, and each of them all the time: a principal may be a certificate that has to be read.
  const known = new Map<string, boolean>();
  const satisfies = ({ mspId, certificate }: Identity): boolean => {
    const name = `${mspId} ${certificate.id}`;
    let found = known.get(name);
    if (found === undefined) {
      found = members.msp(mspId)?.satisfies(certificate, principal) === true;
      if (known.size >= IDENTITIES_MAX) {
        known.clear();
      }
      known.set(name, found);
    }
    return found;
  };
  return (identities, used) => {
    const at = identities.findIndex((each, index) => used[index] !== true && satisfies(each));
    if (at >= 0) {
      used[at] = true;
    }
    return at >= 0;
  };
}

/** How many of the policies of the groups below have to be satisfied. */
export function implicitPolicy(
  rule: common.ImplicitMetaPolicy.RuleMap[keyof common.ImplicitMetaPolicy.RuleMap],
  below: readonly (Policy | null)[],
): Policy {
  const { Rule } = common.ImplicitMetaPolicy;
  const thresholds = new Map<number, number>([
    [Rule.ANY, 1],
    [Rule.ALL, below.length],
    [Rule.MAJORITY, Math.floor(below.length / 2) + 1],
  ]);
  const threshold = thresholds.get(rule);
  if (threshold === undefined) {
    throw new Unprovable('POLICY_UNKNOWN', 'An implicit policy is of an unknown kind.');
  }
  // Where there are no groups below, nothing is asked.
  const wanted = below.length === 0 ? 0 : threshold;
  return (identities) => {
    let satisfied = 0;
    for (const policy of below) {
      satisfied += policy?.(identities) === true ? 1 : 0;
    }
    return satisfied >= wanted;
  };
}
