/** What a config block says of who may sign what. Source: Fabric's common/channelconfig. */
import { common, msp as protos } from '@hyperledger/fabric-protos';
import { Unprovable } from './findings.ts';
import { createMsp, type Msp } from './msp.ts';
import { implicitPolicy, Members, type Policy, signaturePolicy } from './policy.ts';

/** An orderer that signs blocks by its number (BFT). */
export interface Consenter {
  readonly id: number;
  /** msp.SerializedIdentity. */
  readonly identity: Uint8Array;
}

export interface ChannelConfig {
  readonly channel: string;
  /** Counts the configs of the channel from 0. */
  readonly sequence: bigint;
  readonly members: Members;
  /** Empty unless orderers sign by their number. */
  readonly consenters: readonly Consenter[];
  readonly isBft: boolean;
  /** By the absolute path, such as `/Channel/Application/Endorsement`; null when there is none. */
  policy(path: string): Policy | null;
  /** The name of the application group of an MSP; null when it has none. */
  organizationOf(mspId: string): string | null;
}

const BFT_CAPABILITY = 'V3_0';

/**
 * @param data - common.ConfigEnvelope
 * @throws Error when it is no config that a peer would take
 */
export function readConfig(channel: string, data: Uint8Array): ChannelConfig {
  const config = common.ConfigEnvelope.deserializeBinary(data).getConfig();
  const root = config?.getChannelGroup();
  if (config === undefined || root === undefined) {
    throw new Error('The config has no channel group.');
  }
  const groups = mspGroups(root);
  const members = new Members(groups.map(({ msp }) => msp));
  const capabilities = valueIn(root, 'Capabilities');
  const isBft =
    capabilities !== null &&
    common.Capabilities.deserializeBinary(capabilities).getCapabilitiesMap().has(BFT_CAPABILITY);
  const policies = new Map<string, Policy | null>();
  return {
    channel,
    sequence: BigInt(config.getSequence()),
    members,
    consenters: isBft ? readConsenters(root) : [],
    isBft,
    policy: (path) => {
      let policy = policies.get(path);
      if (policy === undefined) {
        policy = policyAt(members, root, path);
        policies.set(path, policy);
      }
      return policy;
    },
    organizationOf: (mspId) =>
      groups.find(({ part, msp }) => part === 'Application' && msp.id === mspId)?.name ?? null,
  };
}

interface MspGroup {
  readonly part: string;
  readonly name: string;
  readonly msp: Msp;
}

function mspGroups(root: common.ConfigGroup): MspGroup[] {
  return ['Orderer', 'Application'].flatMap((part) =>
    groupsIn(root.getGroupsMap().get(part)).flatMap(([name, organization]) => {
      const value = valueIn(organization, 'MSP');
      return value === null
        ? []
        : [{ part, name, msp: createMsp(protos.MSPConfig.deserializeBinary(value)) }];
    }),
  );
}

function groupsIn(group: common.ConfigGroup | undefined): [string, common.ConfigGroup][] {
  const found: [string, common.ConfigGroup][] = [];
  group?.getGroupsMap().forEach((inner: common.ConfigGroup, name: string) => {
    found.push([name, inner]);
  });
  return found;
}

function readConsenters(root: common.ConfigGroup): Consenter[] {
  const orderer = root.getGroupsMap().get('Orderer');
  const value = orderer === undefined ? null : valueIn(orderer, 'Orderers');
  const mapping =
    value === null ? [] : common.Orderers.deserializeBinary(value).getConsenterMappingList();
  return mapping.map((consenter) => {
    const identity = new protos.SerializedIdentity();
    identity.setMspid(consenter.getMspId());
    identity.setIdBytes(consenter.getIdentity_asU8());
    return { id: consenter.getId(), identity: identity.serializeBinary() };
  });
}

function valueIn(group: common.ConfigGroup, name: string): Uint8Array | null {
  return group.getValuesMap().get(name)?.getValue_asU8() ?? null;
}

function policyAt(members: Members, root: common.ConfigGroup, path: string): Policy | null {
  const [, top, ...names] = path.split('/');
  const name = names.pop();
  let group: common.ConfigGroup | undefined = top === 'Channel' ? root : undefined;
  for (const each of names) {
    group = group?.getGroupsMap().get(each);
  }
  return group === undefined || name === undefined ? null : policyIn(members, group, name);
}

function policyIn(members: Members, group: common.ConfigGroup, name: string): Policy | null {
  const policy = group.getPoliciesMap().get(name)?.getPolicy();
  const { PolicyType } = common.Policy;
  if (policy === undefined) {
    return null;
  }
  if (policy.getType() === PolicyType.SIGNATURE) {
    const envelope = common.SignaturePolicyEnvelope.deserializeBinary(policy.getValue_asU8());
    return signaturePolicy(members, envelope);
  }
  if (policy.getType() === PolicyType.IMPLICIT_META) {
    const meta = common.ImplicitMetaPolicy.deserializeBinary(policy.getValue_asU8());
    const below = groupsIn(group).map(([, inner]) => policyIn(members, inner, meta.getSubPolicy()));
    return implicitPolicy(meta.getRule(), below);
  }
  throw new Unprovable(
    'POLICY_UNKNOWN',
    `Policies of type ${policy.getType()} are not understood.`,
  );
}

/** @throws Unprovable POLICY_UNKNOWN */
export function applicationPolicy(config: ChannelConfig, bytes: Uint8Array): Policy {
  const policy = common.ApplicationPolicy.deserializeBinary(bytes);
  const envelope = policy.getSignaturePolicy();
  if (envelope !== undefined) {
    return signaturePolicy(config.members, envelope);
  }
  const path = policy.getChannelConfigPolicyReference();
  const found = path === '' ? null : config.policy(path);
  if (found === null) {
    throw new Unprovable('POLICY_UNKNOWN', `There is no policy ${path} in the channel's config.`);
  }
  return found;
}
