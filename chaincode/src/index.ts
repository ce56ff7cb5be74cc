/**
 * The chaincode's entry for fabric-chaincode-node, and the library for chaincode of one's own:
 * extend BatchContract, override `apply`, and export `contracts` and `serializers`.
 */
import { ShuttleContract } from './contract.ts';

export { BATCH_EVENT, BatchContract } from './base-contract.ts';
export { DOCUMENT_EVENT, ShuttleContract } from './contract.ts';
export type { IndexKey } from './index-keys.ts';
export { Refusal } from './refusal.ts';
export { type Applied, type IncomingRecord, parseDocument, RuleError, refuse } from './rule.ts';
export { serializers } from './serializer.ts';
export { openState, type State } from './state.ts';
export { Inheritable } from './transactions.ts';
export type { RuleRefusal } from './wire.ts';

/** What fabric-chaincode-node runs. */
export const contracts = [ShuttleContract];
