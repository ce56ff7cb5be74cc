/** Keys that have an endorsement policy of their own, as the blocks so far have set them. */
import { common } from '@hyperledger/fabric-protos';
import { Unprovable } from './findings.ts';
import { type Members, type Policy, signaturePolicy } from './policy.ts';
import type { AccessSet } from './rwset.ts';

/** So many are remembered; with more, the policies of a namespace are unknown. */
export const KEY_POLICIES_MAX = 100_000;

export class KeyPolicies {
  private readonly byKey = new Map<string, Buffer>();
  /** Namespaces of which they are not known any more, and why. */
  private readonly lost = new Map<string, string>();
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

  /** Takes what a transaction has written that is told to be valid, when its block is done. */
  apply(sets: readonly AccessSet[], isProven: boolean): void {
    for (const set of sets) {
      if (isProven) {
        this.take(set);
      } else if (set.metadataWrites.length + (this.isEmpty ? 0 : set.writes.length) > 0) {
        const sentence = 'Policies of keys were set or removed by a transaction in doubt.';
        this.lost.set(set.namespace, sentence);
      }
    }
  }

  private take({ namespace, collection, writes, metadataWrites }: AccessSet): void {
    for (const { key, value } of this.byKey.size === 0 ? [] : writes) {
      if (value === null) {
        this.byKey.delete(nameOf(namespace, collection, key));
      }
    }
    for (const { key, policy } of metadataWrites) {
      this.set(namespace, nameOf(namespace, collection, key), policy);
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
    const lost = this.lost.get(namespace);
    if (lost !== undefined) {
      throw new Unprovable('KEY_POLICY_UNKNOWN', lost);
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
    for (const [namespace, sentence] of this.lost) {
      copy.lost.set(namespace, sentence);
    }
    return copy;
  }

  private set(namespace: string, name: string, policy: Buffer | null): void {
    if (policy === null) {
      this.byKey.delete(name);
    } else if (this.byKey.size < this.most || this.byKey.has(name)) {
      this.byKey.set(name, Buffer.from(policy));
    } else {
      const sentence = `More than ${this.most} keys have endorsement policies of their own.`;
      this.lost.set(namespace, sentence);
    }
  }
}

export function nameOf(namespace: string, collection: string, key: Buffer): string {
  return `${namespace}\0${collection}\0${key.toString('latin1')}`;
}
