/**
 * The chaincode's entry for fabric-chaincode-node, and the library for chaincode of one's own:
 * extend BatchContract, override `apply`, and export the class in `contracts`.
 */
import { ShuttleContract } from './contract.ts';

export {
  type Applied,
  BATCH_EVENT,
  BatchContract,
  type IncomingRecord,
  REFUSED,
} from './base-contract.ts';
export { DOCUMENT_EVENT, ShuttleContract } from './contract.ts';
export { Refusal } from './refusal.ts';
export { serializers } from './serializer.ts';
export { openState, type State } from './state.ts';
export { Inheritable } from './transactions.ts';

/** What fabric-chaincode-node runs. */
export const contracts = [ShuttleContract];
