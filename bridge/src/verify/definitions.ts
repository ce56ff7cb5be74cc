/**
 * Which policy the endorsements of a chaincode have to satisfy, as the blocks so far have defined
 * it. Source: Fabric's core/chaincode/lifecycle (the state of the namespace `_lifecycle`).
 */
import { common } from '@hyperledger/fabric-protos';
import type { BlockRef } from './checkpoint.ts';
import { applicationPolicy, type ChannelConfig } from './config.ts';
import { Unprovable } from './findings.ts';
import type { Policy } from './policy.ts';
import type { AccessSet } from './rwset.ts';
import { bytesField, bytesFields } from './wire.ts';

const LIFECYCLE = '_lifecycle';
const LIFECYCLE_POLICY = '/Channel/Application/LifecycleEndorsement';
const IMPLICIT_COLLECTION = '_implicit_org_';
const BUILT_IN_PLUGIN = 'vscc';
const FIELD = /^namespaces\/fields\/([^/]+)\/(ValidationInfo|Collections)$/;
/** lifecycle.StateData.Bytes. */
const STATE_BYTES = 2;

interface Definition {
  /** lifecycle.ChaincodeValidationInfo. */
  info: Buffer | null;
  /** common.CollectionConfigPackage. */
  collections: Buffer | null;
  /** Which blocks have told them last. */
  infoBlock: BlockRef | null;
  collectionsBlock: BlockRef | null;
  /** Whether what has told them was proven to be valid. */
  isProven: boolean;
}

const UNDEFINED: Definition = {
  info: null,
  collections: null,
  infoBlock: null,
  collectionsBlock: null,
  isProven: true,
};

/** So many chaincodes may be defined on a channel, as far as this goes. */
const DEFINITIONS_MAX = 10_000;

/** Whether a set writes how a chaincode's transactions are validated. */
export function definesChaincode({ namespace, collection, writes }: AccessSet): boolean {
  const isLifecycle = namespace === LIFECYCLE && collection === '';
  return isLifecycle && writes.keys().some((key) => FIELD.test(key.toString('utf8')));
}

/** The chaincodes whose validation a set writes, each with the field that it writes. */
export function definedFields(set: AccessSet): readonly (readonly [string, string])[] {
  return definesChaincode(set)
    ? set.writes.keys().flatMap((key) => {
        const [, name, field] = FIELD.exec(key.toString('utf8')) ?? [];
        return name === undefined || field === undefined ? [] : [[name, field] as const];
      })
    : [];
}

export class Definitions {
  private readonly byName = new Map<string, Definition>();
  /** Policies under one config, by chaincode and collection, until a definition changes. */
  private readonly compiled = new Map<string, Policy | null>();
  private config: ChannelConfig | null = null;

  /** Takes what a transaction of a block has written that is told valid, when the block is done. */
  apply(sets: readonly AccessSet[], block: BlockRef, isProven: boolean): void {
    for (const { namespace, collection, writes } of sets) {
      if (namespace === LIFECYCLE && collection === '') {
        for (const { key, value } of writes) {
          const told = value === null ? null : Buffer.from(bytesField(value, STATE_BYTES));
          this.write(key.toString('utf8'), told, block, isProven);
        }
      }
    }
  }

  /**
   * The policy of a chaincode, or of one of its collections; null when that collection is unknown.
   *
   * @throws Unprovable CHAINCODE_UNKNOWN, POLICY_UNKNOWN
   */
  policyOf(config: ChannelConfig, chaincode: string, collection: string): Policy | null {
    if (this.config !== config || this.compiled.size >= DEFINITIONS_MAX) {
      this.compiled.clear();
      this.config = config;
    }
    const name = `${chaincode}\0${collection}`;
    let policy = this.compiled.get(name);
    if (policy === undefined) {
      policy = this.compile(config, chaincode, collection);
      this.compiled.set(name, policy);
    }
    return policy;
  }

  private compile(config: ChannelConfig, chaincode: string, collection: string): Policy | null {
    if (collection.startsWith(IMPLICIT_COLLECTION)) {
      return organizationPolicy(config, collection.slice(IMPLICIT_COLLECTION.length));
    }
    if (chaincode === LIFECYCLE) {
      return collection === '' ? configPolicy(config, LIFECYCLE_POLICY) : null;
    }
    const definition = this.byName.get(chaincode);
    if (definition?.info === undefined || definition.info === null) {
      const sentence = `The blocks so far do not define the chaincode ${chaincode}.`;
      throw new Unprovable('CHAINCODE_UNKNOWN', sentence);
    }
    if (!definition.isProven) {
      const sentence = `The definition of ${chaincode} was written by a transaction in doubt.`;
      throw new Unprovable('CHAINCODE_UNKNOWN', sentence);
    }
    const own = collection === '' ? null : collectionPolicy(definition.collections, collection);
    if (collection !== '' && own === null) {
      return null;
    }
    const [plugin, parameter] = bytesFields(definition.info, 2) as [Buffer, Buffer];
    if (plugin.toString('utf8') !== BUILT_IN_PLUGIN) {
      const sentence = `${chaincode} is validated by the plug-in ${plugin.toString()}.`;
      throw new Unprovable('POLICY_UNKNOWN', sentence);
    }
    return applicationPolicy(config, own === null || own.length === 0 ? parameter : own);
  }

  get areProven(): boolean {
    return [...this.byName.values()].every(({ isProven }) => isProven);
  }

  /** The blocks that have told what holds, in their order. */
  get blocks(): readonly BlockRef[] {
    const found = new Map<bigint, BlockRef>();
    for (const { infoBlock, collectionsBlock } of this.byName.values()) {
      for (const block of [infoBlock, collectionsBlock]) {
        if (block !== null) {
          found.set(block.number, block);
        }
      }
    }
    return [...found.values()].sort((a, b) => (a.number < b.number ? -1 : 1));
  }

  copy(): Definitions {
    const copy = new Definitions();
    for (const [name, definition] of this.byName) {
      copy.byName.set(name, { ...definition });
    }
    return copy;
  }

  private write(key: string, value: Buffer | null, block: BlockRef, isProven: boolean): void {
    const [, name = '', field] = FIELD.exec(key) ?? [];
    if (name === '' || (!this.byName.has(name) && this.byName.size >= DEFINITIONS_MAX)) {
      return;
    }
    const definition = this.byName.get(name) ?? { ...UNDEFINED };
    if (field === 'ValidationInfo') {
      definition.info = value;
      definition.infoBlock = block;
    } else {
      definition.collections = value;
      definition.collectionsBlock = block;
    }
    definition.isProven &&= isProven;
    this.byName.set(name, definition);
    this.compiled.clear();
  }
}

function organizationPolicy(config: ChannelConfig, mspId: string): Policy | null {
  const name = config.organizationOf(mspId);
  return name === null ? null : configPolicy(config, `/Channel/Application/${name}/Endorsement`);
}

function configPolicy(config: ChannelConfig, path: string): Policy {
  const policy = config.policy(path);
  if (policy === null) {
    throw new Unprovable('POLICY_UNKNOWN', `There is no policy ${path} in the channel's config.`);
  }
  return policy;
}

/** Empty for that of the chaincode; null when there is no such collection. */
function collectionPolicy(packaged: Buffer | null, wanted: string): Uint8Array | null {
  const collections =
    packaged === null
      ? []
      : common.CollectionConfigPackage.deserializeBinary(packaged).getConfigList();
  const found = collections
    .map((each) => each.getStaticCollectionConfig())
    .find((each) => each?.getName() === wanted);
  return found === undefined
    ? null
    : (found.getEndorsementPolicy()?.serializeBinary() ?? new Uint8Array());
}
