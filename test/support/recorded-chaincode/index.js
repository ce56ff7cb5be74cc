const { Contract } = require('fabric-contract-api');
const { KeyEndorsementPolicy } = require('fabric-shim');

/** Every organisation has a collection of its own without being asked for one. */
const collectionOf = (mspId) => `_implicit_org_${mspId}`;

/** Does one thing in each transaction that a verifier of blocks has to cope with. */
class Recorded extends Contract {
  constructor() {
    super('recorded');
  }

  async put(context, key, value) {
    await context.stub.putState(key, Buffer.from(value));
    context.stub.setEvent('put', Buffer.from(key));
  }

  /** Reads what it writes, so that two at a time conflict. */
  async bump(context, key) {
    const count = Number(Buffer.from(await context.stub.getState(key)).toString());
    await context.stub.putState(key, Buffer.from(String(count + 1)));
  }

  /** Reads a range, so that what appears in it is a phantom. */
  async count(context, from, to, into) {
    let found = 0;
    for await (const _ of context.stub.getStateByRange(from, to)) found += 1;
    await context.stub.putState(into, Buffer.from(String(found)));
  }

  async read(context, key) {
    return Buffer.from(await context.stub.getState(key)).toString();
  }

  async remove(context, key) {
    await context.stub.deleteState(key);
  }

  /** The key's own endorsement policy: metadata alone, the value stays. */
  async guard(context, key, mspId) {
    await context.stub.setStateValidationParameter(key, policyOf(mspId));
  }

  /** Value and policy in one transaction. */
  async putGuarded(context, key, value, mspId) {
    await context.stub.putState(key, Buffer.from(value));
    await context.stub.setStateValidationParameter(key, policyOf(mspId));
  }

  async hide(context, mspId, key) {
    const value = context.stub.getTransient().get('value');
    await context.stub.putPrivateData(collectionOf(mspId), key, value);
  }

  async removeHidden(context, mspId, key) {
    await context.stub.deletePrivateData(collectionOf(mspId), key);
  }

  async purgeHidden(context, mspId, key) {
    await context.stub.purgePrivateData(collectionOf(mspId), key);
  }
}

function policyOf(mspId) {
  const policy = new KeyEndorsementPolicy();
  policy.addOrgs('PEER', mspId);
  return policy.getPolicy();
}

module.exports = { contracts: [Recorded] };
