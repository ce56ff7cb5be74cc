/**
 * Which transaction wrote each key last, and the ids of all transactions, for who wants every
 * validation code proven: its memory grows with the ledger, some 200 bytes for each key and id.
 */
import { nameOf } from './key-policies.ts';
import type { AccessSet, Version } from './rwset.ts';

export class LedgerState {
  private readonly byKey = new Map<string, Version>();
  private readonly ids = new Set<string>();

  /** Takes the id of a transaction in a block, valid or not: a peer refuses each later one. */
  addId(txId: string): void {
    this.ids.add(txId);
  }

  hasId(txId: string): boolean {
    return this.ids.has(txId);
  }

  /** Takes what a valid transaction has written. */
  apply(sets: readonly AccessSet[], block: bigint, transaction: number): void {
    const version = { block, transaction: BigInt(transaction) };
    for (const { namespace, collection, writes, metadataWrites } of sets) {
      for (const { key, value } of writes) {
        const name = nameOf(namespace, collection, key);
        if (value === null) {
          this.byKey.delete(name);
        } else {
          this.byKey.set(name, version);
        }
      }
      for (const { key } of metadataWrites) {
        const name = nameOf(namespace, collection, key);
        if (this.byKey.has(name)) {
          this.byKey.set(name, version);
        }
      }
    }
  }

  copy(): LedgerState {
    const copy = new LedgerState();
    for (const [name, version] of this.byKey) {
      copy.byKey.set(name, version);
    }
    for (const txId of this.ids) {
      copy.ids.add(txId);
    }
    return copy;
  }

  /** Whether everything that was read is still as it was read; ranges are left out of account. */
  isCurrent(sets: readonly AccessSet[]): boolean {
    return sets.every(({ namespace, collection, reads }) =>
      reads.every(({ key, version }) =>
        isSame(this.byKey.get(nameOf(namespace, collection, key)) ?? null, version),
      ),
    );
  }
}

function isSame(one: Version, other: Version): boolean {
  return one === null || other === null
    ? one === other
    : one.block === other.block && one.transaction === other.transaction;
}
