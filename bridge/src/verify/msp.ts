/**
 * The members of an organisation: whose certificates are valid, and which principals they satisfy.
 * Source: Fabric's msp package (FabricMSPConfig; node OUs as in MSP 1.4.3 and later).
 *
 * As on a peer, certificates do not expire here: a chain is checked at the moment when the
 * certificate began to be valid, or blocks of yesterday could not be verified tomorrow.
 */
import { createHash } from 'node:crypto';
import { msp as protos } from '@hyperledger/fabric-protos';
import {
  type Certificate,
  type RevocationList,
  readCertificate,
  readRevocationList,
} from './certificate.ts';
import { Unprovable } from './findings.ts';
import { bytesField } from './wire.ts';

/** Who has signed. */
export interface Identity {
  readonly mspId: string;
  readonly certificate: Certificate;
}

/** A role by the organisational unit of a certificate, and the CAs that may give it. */
interface Unit {
  readonly name: string;
  /** SHA-256 over the chain of CAs, hex; null when each CA of the organisation may give it. */
  readonly certifiers: string | null;
}

type NodeRole = 'client' | 'peer' | 'admin' | 'orderer';

export interface Msp {
  readonly id: string;
  /**
   * The certificate in msp.SerializedIdentity.id_bytes.
   *
   * @throws Unprovable IDENTITY_UNKNOWN; Error when the bytes are no certificate
   */
  read(bytes: Uint8Array): Certificate;
  /**
   * Why a certificate is not one of a member; null when it is.
   *
   * @throws Unprovable IDENTITY_UNKNOWN
   */
  refuses(certificate: Certificate): string | null;
  /** @throws Unprovable IDENTITY_UNKNOWN, POLICY_UNKNOWN */
  satisfies(certificate: Certificate, principal: protos.MSPPrincipal): boolean;
}

const X509 = 0;
const SECOND_MS = 1_000;
const SHA2 = 'SHA2';
const SHA256 = 'SHA256';

/** @throws Error when the config is not one that a peer would take */
export function createMsp(config: protos.MSPConfig): Msp {
  if (config.getType() !== X509) {
    // The name is field 1 in the config of each kind.
    const name = bytesField(config.getConfig_asU8(), 1).toString('utf8');
    return unknownMsp(name, `Identities of MSP type ${config.getType()} are not understood.`);
  }
  const fabric = protos.FabricMSPConfig.deserializeBinary(config.getConfig_asU8());
  const crypto = fabric.getCryptoConfig();
  const family = crypto?.getSignatureHashFamily() || SHA2;
  if (family !== SHA2 || (crypto?.getIdentityIdentifierHashFunction() || SHA256) !== SHA256) {
    return unknownMsp(fabric.getName(), `Hashes of the family ${family} are not understood.`);
  }
  return new X509Msp(fabric);
}

function unknownMsp(id: string, sentence: string): Msp {
  const refuse = () => {
    throw new Unprovable('IDENTITY_UNKNOWN', sentence);
  };
  return { id, read: refuse, refuses: refuse, satisfies: refuse };
}

class X509Msp implements Msp {
  readonly id: string;
  private readonly roots: readonly Certificate[];
  private readonly intermediates: readonly Certificate[];
  private readonly admins: ReadonlySet<string>;
  private readonly revocations: readonly RevocationList[];
  /** By organisational unit, the certifiers that may give it. */
  private readonly units: readonly Unit[];
  /** Null when roles are not told by organisational units. */
  private readonly roles: ReadonlyMap<NodeRole, Unit> | null;
  /** CAs that have others below them do not sign members. */
  private readonly inner = new Set<string>();
  private readonly refusals = new Map<string, string | null>();

  constructor(config: protos.FabricMSPConfig) {
    this.id = config.getName();
    this.roots = config.getRootCertsList_asU8().map(readCertificate);
    this.intermediates = config.getIntermediateCertsList_asU8().map(readCertificate);
    this.admins = new Set(config.getAdminsList_asU8().map((pem) => readCertificate(pem).id));
    this.revocations = config.getRevocationListList_asU8().map(readRevocationList);
    for (const intermediate of this.intermediates) {
      const chain = this.chainOf(intermediate);
      for (const parent of typeof chain === 'string' ? [] : chain.slice(1)) {
        this.inner.add(parent.id);
      }
    }
    this.units = config.getOrganizationalUnitIdentifiersList().map((unit) => this.unit(unit));
    this.roles = this.nodeRoles(config.getFabricNodeOus());
  }

  read(bytes: Uint8Array): Certificate {
    return readCertificate(bytes);
  }

  refuses(certificate: Certificate): string | null {
    let refusal = this.refusals.get(certificate.id);
    if (refusal === undefined) {
      refusal = this.refusalOf(certificate);
      this.refusals.set(certificate.id, refusal);
    }
    return refusal;
  }

  satisfies(certificate: Certificate, principal: protos.MSPPrincipal): boolean {
    const { Classification } = protos.MSPPrincipal;
    const bytes = principal.getPrincipal_asU8();
    switch (principal.getPrincipalClassification()) {
      case Classification.ROLE:
        return this.hasRole(certificate, protos.MSPRole.deserializeBinary(bytes));
      case Classification.IDENTITY:
        return this.isIdentity(certificate, bytes);
      case Classification.ORGANIZATION_UNIT:
        return this.hasUnit(certificate, protos.OrganizationUnit.deserializeBinary(bytes));
      case Classification.COMBINED: {
        const all = protos.CombinedPrincipal.deserializeBinary(bytes).getPrincipalsList();
        return all.length > 0 && all.every((each) => this.satisfies(certificate, each));
      }
      case Classification.ANONYMITY: {
        const { NOMINAL } = protos.MSPIdentityAnonymity.MSPIdentityAnonymityType;
        return protos.MSPIdentityAnonymity.deserializeBinary(bytes).getAnonymityType() === NOMINAL;
      }
      default:
        throw new Unprovable('POLICY_UNKNOWN', 'A principal is of a kind that is not understood.');
    }
  }

  private hasRole(certificate: Certificate, role: protos.MSPRole): boolean {
    if (role.getMspIdentifier() !== this.id) {
      return false;
    }
    const { MSPRoleType } = protos.MSPRole;
    switch (role.getRole()) {
      case MSPRoleType.MEMBER:
        return this.refuses(certificate) === null;
      case MSPRoleType.ADMIN:
        return this.admins.has(certificate.id) || this.hasNodeRole(certificate, 'admin');
      case MSPRoleType.CLIENT:
        return this.hasNodeRole(certificate, 'client');
      case MSPRoleType.PEER:
        return this.hasNodeRole(certificate, 'peer');
      case MSPRoleType.ORDERER:
        return this.hasNodeRole(certificate, 'orderer');
      default:
        throw new Unprovable('POLICY_UNKNOWN', 'A role is of a kind that is not understood.');
    }
  }

  private hasNodeRole(certificate: Certificate, role: NodeRole): boolean {
    const unit = this.roles?.get(role);
    return (
      unit !== undefined &&
      this.refuses(certificate) === null &&
      certificate.units.includes(unit.name)
    );
  }

  private isIdentity(certificate: Certificate, serialized: Uint8Array): boolean {
    const wanted = protos.SerializedIdentity.deserializeBinary(serialized);
    return (
      wanted.getMspid() === this.id &&
      readCertificate(wanted.getIdBytes_asU8()).id === certificate.id &&
      this.refuses(certificate) === null
    );
  }

  private hasUnit(certificate: Certificate, unit: protos.OrganizationUnit): boolean {
    const chain = this.chainOf(certificate);
    return (
      unit.getMspIdentifier() === this.id &&
      this.refuses(certificate) === null &&
      typeof chain !== 'string' &&
      certificate.units.includes(unit.getOrganizationalUnitIdentifier()) &&
      certifiersOf(chain.slice(1)) ===
        Buffer.from(unit.getCertifiersIdentifier_asU8()).toString('hex')
    );
  }

  private refusalOf(certificate: Certificate): string | null {
    const { keyType, unknown } = certificate;
    if (keyType !== 'ec' && keyType !== 'ed25519') {
      return `its key is of the kind ${keyType}`;
    }
    if (certificate.isCa) {
      return 'it is the certificate of a CA';
    }
    const chain = this.chainOf(certificate);
    if (typeof chain === 'string') {
      return chain;
    }
    if (unknown.length > 0) {
      const sentence = `A certificate has the critical extension ${unknown.join(', ')}.`;
      throw new Unprovable('IDENTITY_UNKNOWN', sentence);
    }
    const [, parent] = chain;
    if (parent === undefined || this.inner.has(parent.id)) {
      return 'its CA does not sign members';
    }
    return this.isRevoked(certificate, parent)
      ? 'it has been revoked'
      : this.wrongUnits(certificate, certifiersOf(chain.slice(1)));
  }

  private isRevoked({ serial }: Certificate, parent: Certificate): boolean {
    return this.revocations.some(
      (list) =>
        list.authorityKeyId !== null &&
        list.authorityKeyId === parent.subjectKeyId &&
        list.revoked.has(serial) &&
        list.isSignedBy(parent),
    );
  }

  private wrongUnits({ units }: Certificate, certifiers: string): string | null {
    const allowed = ({ name, certifiers: wanted }: Unit) =>
      units.includes(name) && (wanted === null || wanted === certifiers);
    if (this.units.length > 0 && !this.units.some(allowed)) {
      return 'it is of none of the organisational units that count';
    }
    if (this.roles === null) {
      return null;
    }
    const held = units.flatMap((name) => {
      const role = [...(this.roles?.values() ?? [])].find((each) => each.name === name);
      return role === undefined ? [] : [role];
    });
    if (held.some((role) => !allowed(role))) {
      return 'its role was given by a CA that may not give it';
    }
    return held.length === 1 ? null : `it has ${held.length} roles by its organisational units`;
  }

  /** The one chain to a root, the certificate first; or why there is none. */
  private chainOf(certificate: Certificate): readonly Certificate[] | string {
    const atMs = certificate.notBefore + SECOND_MS;
    if (this.roots.some(({ id }) => id === certificate.id)) {
      return [certificate];
    }
    const chains = this.chainsFrom([certificate], atMs);
    const [chain] = chains;
    if (chain === undefined) {
      return 'no CA of the organisation has signed it';
    }
    if (chains.length > 1) {
      return 'several chains of CAs lead to it';
    }
    return chain.every(({ isUsable }) => isUsable) ? chain : 'its usage is another one';
  }

  private chainsFrom(chain: readonly Certificate[], atMs: number): (readonly Certificate[])[] {
    const last = chain.at(-1);
    if (last === undefined) {
      return [];
    }
    const below = chain.length - 1;
    const isParent = (ca: Certificate) =>
      ca.subject === last.issuer &&
      ca.isCa &&
      (ca.pathLength === null || below <= ca.pathLength) &&
      ca.notBefore <= atMs &&
      atMs <= ca.notAfter &&
      !chain.some(({ id }) => id === ca.id) &&
      last.isSignedBy(ca);
    for (const { unknown } of [...this.roots, ...this.intermediates].filter(isParent)) {
      if (unknown.length > 0) {
        const sentence = `A CA's certificate has the critical extension ${unknown.join(', ')}.`;
        throw new Unprovable('IDENTITY_UNKNOWN', sentence);
      }
    }
    return [
      ...this.roots.filter(isParent).map((root) => [...chain, root]),
      ...this.intermediates
        .filter(isParent)
        .flatMap((intermediate) => this.chainsFrom([...chain, intermediate], atMs)),
    ];
  }

  private unit(identifier: protos.FabricOUIdentifier): Unit {
    const pem = identifier.getCertificate_asU8();
    const name = identifier.getOrganizationalUnitIdentifier();
    if (pem.length === 0) {
      return { name, certifiers: null };
    }
    const chain = this.chainOf(readCertificate(pem));
    if (typeof chain === 'string') {
      throw new Error(`The CA that certifies ${name} is not valid: ${chain}.`);
    }
    return { name, certifiers: certifiersOf(chain) };
  }

  private nodeRoles(nodeOus: protos.FabricNodeOUs | undefined): ReadonlyMap<NodeRole, Unit> | null {
    if (nodeOus?.getEnable() !== true) {
      return null;
    }
    const given = [
      ['client', nodeOus.getClientOuIdentifier()],
      ['peer', nodeOus.getPeerOuIdentifier()],
      ['admin', nodeOus.getAdminOuIdentifier()],
      ['orderer', nodeOus.getOrdererOuIdentifier()],
    ] as const;
    const roles = new Map<NodeRole, Unit>();
    for (const [role, identifier] of given) {
      if (identifier !== undefined) {
        roles.set(role, this.unit(identifier));
      }
    }
    return roles.size === 0 ? null : roles;
  }
}

const certifiersOf = (chain: readonly Certificate[]): string => {
  const hash = createHash('sha256');
  for (const { raw } of chain) {
    hash.update(raw);
  }
  return hash.digest('hex');
};
