import { createPrivateKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { connect, type Gateway, hash, signers } from '@hyperledger/fabric-gateway';
import { Kafka, logLevel } from 'kafkajs';
import { discoverEndorsers, type SigningIdentity } from './discovery.ts';
import { type Layout, peerDir, userDir } from './layout.ts';
import type { Peer, Topology } from './topology.ts';

/** The topic that `up` writes one record to, to see that producing works. */
export const READINESS_TOPIC = 'shuttle-network.ready';
/** Every chaincode on fabric-contract-api answers it without touching the ledger. */
const METADATA_TRANSACTION = 'org.hyperledger.fabric:GetMetadata';
const CALL_DEADLINE_MS = 10_000;
const BYTES_UNLIMITED = -1;

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

interface Connection {
  readonly gateway: Gateway;
  readonly client: Client;
  readonly signing: SigningIdentity;
}

/** A gateway client of one peer, as User1 of its organisation, for the length of an action. */
async function withGateway<T>(
  layout: Layout,
  peer: Peer,
  action: (connection: Connection) => Promise<T>,
): Promise<T> {
  const ca = await readFile(join(peerDir(layout, peer), 'tls', 'ca.crt'));
  const msp = join(userDir(layout, peer.org, 'User1'), 'msp');
  const [certificate, key] = await Promise.all(
    ['signcerts', 'keystore'].map((folder) => onlyFile(join(msp, folder))),
  );
  if (certificate === undefined || key === undefined) throw new Error(`no identity in ${msp}`);
  const client = new Client(`localhost:${peer.port}`, credentials.createSsl(ca), {
    'grpc.max_receive_message_length': BYTES_UNLIMITED,
  });
  const deadline = () => ({ deadline: Date.now() + CALL_DEADLINE_MS });
  const signing: SigningIdentity = {
    identity: { mspId: peer.org.mspId, credentials: certificate },
    signer: signers.newPrivateKeySigner(createPrivateKey(key)),
  };
  const gateway = connect({
    client,
    ...signing,
    hash: hash.sha256,
    evaluateOptions: deadline,
    endorseOptions: deadline,
  });
  try {
    return await action({ gateway, client, signing });
  } finally {
    gateway.close();
    client.close();
  }
}

async function onlyFile(folder: string): Promise<Buffer> {
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error(`nothing in ${folder}`);
  return readFile(join(folder, name));
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
