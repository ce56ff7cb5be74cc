/** Changes of a channel's configuration, as its admins would make them. */
import { common, msp, orderer } from '@hyperledger/fabric-protos';
import type { ChannelChange } from '@shuttle/network';

/** Cuts blocks at so many transactions. */
export function cutBlocksAt(count: number): ChannelChange {
  return (channel) => {
    const value = configValue(groupOf(channel, 'Orderer'), 'BatchSize');
    const size = orderer.BatchSize.deserializeBinary(value.getValue_asU8());
    size.setMaxMessageCount(count);
    value.setValue(size.serializeBinary());
  };
}

/** Adds a revocation list, PEM, to an organisation with peers. */
export function revoke(mspId: string, list: string): ChannelChange {
  return (channel) => {
    changeMsp(groupOf(channel, 'Application', mspId), (config) => {
      config.addRevocationList(Buffer.from(list));
    });
  };
}

/** Lets one signature of any ordering node make a block valid, said by role instead of by rule. */
export const validateBlocksByRole: ChannelChange = (channel) => {
  const role = new msp.MSPRole();
  role.setMspIdentifier('OrdererMSP');
  role.setRole(msp.MSPRole.MSPRoleType.ORDERER);
  const principal = new msp.MSPPrincipal();
  principal.setPrincipalClassification(msp.MSPPrincipal.Classification.ROLE);
  principal.setPrincipal(role.serializeBinary());
  const signed = new common.SignaturePolicy();
  signed.setSignedBy(0);
  const any = new common.SignaturePolicy.NOutOf();
  any.setN(1);
  any.addRules(signed);
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(any);
  const envelope = new common.SignaturePolicyEnvelope();
  envelope.addIdentities(principal);
  envelope.setRule(rule);
  const type = common.Policy.PolicyType.SIGNATURE;
  setPolicy(groupOf(channel, 'Orderer'), 'BlockValidation', type, envelope.serializeBinary());
};

/** Lets one organisation endorse where a chaincode says nothing else. */
export const endorseByAny: ChannelChange = (channel) => {
  const meta = new common.ImplicitMetaPolicy();
  meta.setSubPolicy('Endorsement');
  meta.setRule(common.ImplicitMetaPolicy.Rule.ANY);
  const type = common.Policy.PolicyType.IMPLICIT_META;
  setPolicy(groupOf(channel, 'Application'), 'Endorsement', type, meta.serializeBinary());
};

/** Takes in another organisation, with the certificates of one that is there. */
export function addOrganization(mspId: string, like: string): ChannelChange {
  return (channel) => {
    const application = groupOf(channel, 'Application');
    const bytes = groupOf(application, like).serializeBinary();
    const added = common.ConfigGroup.deserializeBinary(bytes);
    added.setVersion(0);
    added.getValuesMap().del('AnchorPeers');
    changeMsp(added, (config) => config.setName(mspId));
    configValue(added, 'MSP').setVersion(0);
    added.getPoliciesMap().forEach((policy: common.ConfigPolicy) => {
      renamePrincipals(policy, mspId);
    });
    application.getGroupsMap().set(mspId, added);
  };
}

function renamePrincipals(policy: common.ConfigPolicy, mspId: string): void {
  policy.setVersion(0);
  const rule = policy.getPolicy();
  const bytes = rule?.getValue_asU8() ?? new Uint8Array();
  const envelope = common.SignaturePolicyEnvelope.deserializeBinary(bytes);
  for (const principal of envelope.getIdentitiesList()) {
    const role = msp.MSPRole.deserializeBinary(principal.getPrincipal_asU8());
    role.setMspIdentifier(mspId);
    principal.setPrincipal(role.serializeBinary());
  }
  rule?.setValue(envelope.serializeBinary());
}

function changeMsp(group: common.ConfigGroup, change: (config: msp.FabricMSPConfig) => void): void {
  const value = configValue(group, 'MSP');
  const outer = msp.MSPConfig.deserializeBinary(value.getValue_asU8());
  const config = msp.FabricMSPConfig.deserializeBinary(outer.getConfig_asU8());
  change(config);
  outer.setConfig(config.serializeBinary());
  value.setValue(outer.serializeBinary());
}

function setPolicy(
  group: common.ConfigGroup,
  name: string,
  type: common.Policy.PolicyTypeMap[keyof common.Policy.PolicyTypeMap],
  value: Uint8Array,
): void {
  const policy = group.getPoliciesMap().get(name)?.getPolicy();
  if (policy === undefined) throw new Error(`no policy ${name}`);
  policy.setType(type);
  policy.setValue(value);
}

function groupOf(group: common.ConfigGroup, ...path: readonly string[]): common.ConfigGroup {
  let found = group;
  for (const name of path) {
    const next = found.getGroupsMap().get(name);
    if (next === undefined) throw new Error(`no group ${name}`);
    found = next;
  }
  return found;
}

function configValue(group: common.ConfigGroup, name: string): common.ConfigValue {
  const value = group.getValuesMap().get(name);
  if (value === undefined) throw new Error(`no value ${name}`);
  return value;
}
