export type { ChaincodeOptions } from './chaincode-package.ts';
export type { ChannelChange, ChannelUpdate } from './channel-update.ts';
export { killProcess, startProcess } from './control.ts';
export type { DeployResult } from './deploy.ts';
export {
  channelHeights,
  describeNetwork,
  type KafkaDescription,
  type NetworkDescription,
  type PeerDescription,
  type ProcessDescription,
} from './describe.ts';
export type { DownOptions, DownResult } from './down.ts';
export { asNetworkError, NetworkError, type NetworkErrorCode, renderError } from './errors.ts';
export type { KafkaClientFiles } from './kafka-security.ts';
export { deploy, type Network, startNetwork, stopNetwork, updateChannel } from './network.ts';
export { DEFAULT_TOPOLOGY, type TopologyOptions } from './options.ts';
export { createProgress, type Progress } from './progress.ts';
export { READINESS_TOPIC } from './readiness.ts';
export { checkRequirements, type RequirementResult } from './requirements.ts';
export { ensureTools, FABRIC_VERSION, type Tools } from './tools.ts';
export { OWN_CHAINCODE, prepare, type UpOptions, type UpResult } from './up.ts';
