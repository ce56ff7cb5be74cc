/**
 * Lets contracts inherit transactions without sharing them.
 *
 * fabric-contract-api keeps the list of a class's transactions as metadata on its prototype, and
 * its decorators change the list that they find - for a subclass, the one of the base class. So the
 * transactions of one subclass turn up in its siblings. Here a base class gives its list away
 * (@Inheritable), and each instance gets a list of its own, which nothing else can reach.
 */

/**
 * Where fabric-contract-api's decorators keep the transactions; the test of the metadata guards it.
 */
const TRANSACTIONS = 'fabric:transactions';

interface TransactionMetadata {
  readonly name: string;
}

/** What fabric-contract-api adds to Reflect by loading reflect-metadata. */
interface MetadataReflect {
  getOwnMetadata(key: string, target: object): unknown;
  defineMetadata(key: string, value: unknown, target: object): void;
  deleteMetadata(key: string, target: object): boolean;
}

const metadata = Reflect as unknown as MetadataReflect;
const inheritable = new WeakMap<object, readonly TransactionMetadata[]>();

/** Class decorator for a contract that others extend: its transactions are inherited by copy. */
export function Inheritable(): (target: { readonly prototype: object }) => void {
  return ({ prototype }) => {
    inheritable.set(prototype, ownTransactions(prototype));
    metadata.deleteMetadata(TRANSACTIONS, prototype);
  };
}

/** Gives a contract its own list: its base classes' transactions, then its own. */
export function adoptTransactions(contract: object): void {
  const chain: object[] = [];
  let prototype: object | null = Object.getPrototypeOf(contract);
  while (prototype !== null) {
    chain.unshift(prototype);
    prototype = Object.getPrototypeOf(prototype);
  }
  const byName = new Map<string, TransactionMetadata>();
  for (const each of chain) {
    for (const transaction of inheritable.get(each) ?? ownTransactions(each)) {
      byName.set(transaction.name, transaction);
    }
  }
  metadata.defineMetadata(TRANSACTIONS, structuredClone([...byName.values()]), contract);
}

function ownTransactions(prototype: object): readonly TransactionMetadata[] {
  const own = metadata.getOwnMetadata(TRANSACTIONS, prototype);
  return Array.isArray(own) ? (own as TransactionMetadata[]) : [];
}
