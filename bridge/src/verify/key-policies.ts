/** Keys that have an endorsement policy of their own, as the blocks so far have set them. */
import { common } from '@hyperledger/fabric-protos';
import { Unprovable } from './findings.ts';
import { type Members, type Policy, signaturePolicy } from './policy.ts';
import type { AccessSet } from './rwset.ts';

/** So many are remembered; with more, the policies of a namespace are unknown. */
export const KEY_POLICIES_MAX = 100_000;

export class KeyPolicies {
  private readonly byKey = new Map<string, Buffer>();
  /** Namespaces that have more of them than are remembered. */
  private readonly lost = new Set<string>();
  private readonly most: number;
  /** There may be any, set by blocks that were not seen. */
  private isUnknown = false;

  constructor(most = KEY_POLICIES_MAX) {
    this.most = most;
  }

  /** Whether no key has one, as far as the blocks so far tell. */
  get isEmpty(): boolean {
    return this.byKey.size === 0 && this.lost.size === 0 && !this.isUnknown;
  }

  /** Takes what a valid transaction has written, when its block is done. */
  apply(sets: readonly AccessSet[]): void {
    for (const { namespace, collection, writes, metadataWrites } of sets) {
      for (const { key, value } of this.byKey.size === 0 ? [] : writes) {
        if (value === null) {
          this.byKey.delete(nameOf(namespace, collection, key));
        }
      }
      for (const { key, policy } of metadataWrites) {
        this.set(namespace, nameOf(namespace, collection, key), policy);
      }
    }
  }

  /** Null when the key has none. @throws Unprovable KEY_POLICY_UNKNOWN, POLICY_UNKNOWN */
  policyOf(members: Members, namespace: string, collection: string, key: Buffer): Policy | null {
    if (this.isEmpty) {
      return null;
    }
    if (this.isUnknown) {
      const sentence = 'Keys may have endorsement policies of their own, set in earlier blocks.';
      throw new Unprovable('KEY_POLICY_UNKNOWN', sentence);
    }
    if (this.lost.has(namespace)) {
      const sentence = `More than ${this.most} keys have endorsement policies of their own.`;
      throw new Unprovable('KEY_POLICY_UNKNOWN', sentence);
    }
    const bytes = this.byKey.get(nameOf(namespace, collection, key));
    return bytes === undefined
      ? null
      : signaturePolicy(members, common.SignaturePolicyEnvelope.deserializeBinary(bytes));
  }

  /** Whatever was set before is not known. */
  forget(): void {
    this.isUnknown = true;
  }

  copy(): KeyPolicies {
    const copy = new KeyPolicies(this.most);
    copy.isUnknown = this.isUnknown;
    for (const [name, policy] of this.byKey) {
      copy.byKey.set(name, policy);
    }
    for (const namespace of this.lost) {
      copy.lost.add(namespace);
    }
    return copy;
  }

  private set(namespace: string, name: string, policy: Buffer | null): void {
    if (policy === null) {
      this.byKey.delete(name);
    } else if (this.byKey.size < this.most || this.byKey.has(name)) {
      this.byKey.set(name, Buffer.from(policy));
    } else {
      this.lost.add(namespace);
    }
  }
}

export function nameOf(namespace: string, collection: string, key: Buffer): string {
  return `${namespace}\0${collection}\0${key.toString('latin1')}`;
}
