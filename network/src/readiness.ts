import { Kafka, logLevel } from 'kafkajs';
import { discoverEndorsers } from './discovery.ts';
import type { Layout } from './layout.ts';
import { withGateway } from './peer-gateway.ts';
import type { Peer, Topology } from './topology.ts';

/** The topic that `up` writes one record to, to see that producing works. */
export const READINESS_TOPIC = 'shuttle-network.ready';
/** Every chaincode on fabric-contract-api answers it without touching the ledger. */
const METADATA_TRANSACTION = 'org.hyperledger.fabric:GetMetadata';

/**
 * Resolves when a chaincode can be used through this peer: its own process answers, discovery finds
 * endorsers that satisfy the policy, and - for chaincode on fabric-contract-api - they endorse.
 */
export async function checkChaincode(
  layout: Layout,
  peer: Peer,
  channel: string,
  chaincode: string,
): Promise<void> {
  await withGateway(layout, peer, async ({ gateway, client, signing }) => {
    const contract = gateway.getNetwork(channel).getContract(chaincode);
    const own = { endorsingOrganizations: [peer.org.mspId] };
    const answers = await contract.evaluate(METADATA_TRANSACTION, own).then(() => true, refused);
    await discoverEndorsers(client, signing, channel, chaincode);
    if (answers) await contract.newProposal(METADATA_TRANSACTION).endorse();
  });
}

/**
 * A chaincode that refuses has answered: not every one has the transaction. Anything else is
 * thrown on.
 */
function refused(error: unknown): false {
  if (error instanceof Error && /chaincode response \d+/.test(error.message)) return false;
  throw error;
}

/** Asks the peer for the channel's height by its own system chaincode: it serves clients. */
export async function queryChannel(layout: Layout, peer: Peer, channel: string): Promise<void> {
  await withGateway(layout, peer, async ({ gateway }) => {
    const contract = gateway.getNetwork(channel).getContract('qscc');
    await contract.evaluate('GetChainInfo', {
      arguments: [channel],
      endorsingOrganizations: [peer.org.mspId],
    });
  });
}

/** Writes one record through the brokers and waits until all replicas have it. */
export async function produceRecord(topology: Topology): Promise<void> {
  const kafka = new Kafka({
    clientId: 'shuttle-network',
    brokers: topology.brokers.map((broker) => `localhost:${broker.port}`),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    // The caller asks again until its deadline; retries inside would only hide the cause.
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  await admin.connect();
  try {
    await createReadinessTopic(admin, topology);
  } finally {
    await admin.disconnect();
  }
  const producer = kafka.producer();
  await producer.connect();
  try {
    const value = new Date().toISOString();
    await producer.send({ topic: READINESS_TOPIC, acks: -1, messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}

async function createReadinessTopic(
  admin: ReturnType<Kafka['admin']>,
  topology: Topology,
): Promise<void> {
  const { brokers } = await admin.describeCluster();
  if (brokers.length < topology.brokers.length) throw new Error('not all brokers have joined');
  if ((await admin.listTopics()).includes(READINESS_TOPIC)) return;
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic: READINESS_TOPIC, numPartitions: 1, replicationFactor: brokers.length }],
  });
}
