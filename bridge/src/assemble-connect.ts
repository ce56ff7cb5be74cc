/** Connections to both sides, each made when first needed; close() ends them. */
import type { FarSide } from './cli/shuttle.ts';
import { fabricConnection, kafkaConnection } from './config/connections.ts';
import type { PeerAddress } from './config/other-peer.ts';
import { publishSecretFiles } from './config/publish-keys.ts';
import type { Settings } from './config/schema.ts';
import { type Identity, readMspIdentity } from './fabric/identity.ts';
import { type ConnectedLedger, createGatewayLedger } from './fabric/ledger.ts';
import { createKafkaClient, type KafkaClient } from './kafka/client.ts';
import { BLOCK_SILENCE_MS_DEFAULT } from './limits.ts';
import type { Clock, Ledger, Log } from './ports.ts';
import { exposedFiles } from './system/secret-files.ts';

export class Connections {
  private readonly settings: Settings;
  private readonly log: Log;
  private readonly clock: Clock;
  private client: KafkaClient | null = null;
  private opened: Promise<ConnectedLedger> | null = null;
  private gateway: ConnectedLedger | null = null;
  private readonly others: ConnectedLedger[] = [];
  /** Secrets that have been looked at, so that each is told once. */
  private readonly looked = new Set<string>();

  constructor(settings: Settings, log: Log, clock: Clock) {
    this.settings = settings;
    this.log = log;
    this.clock = clock;
  }

  kafka(): KafkaClient {
    if (this.client === null) {
      const { compression, createTopics, replicationFactor, sessionTimeoutMs, requestTimeoutMs } =
        this.settings.kafka;
      const options = {
        ...kafkaConnection(this.settings),
        compression,
        createTopics,
        sessionTimeoutMs,
        requestTimeoutMs,
        ...(replicationFactor === undefined ? {} : { replicationFactor }),
      };
      this.lookAtKafkaSecrets();
      this.client = createKafkaClient(options, this.log);
    }
    return this.client;
  }

  ledger(): Promise<Ledger> {
    this.opened ??= this.openLedger();
    return this.opened;
  }

  /** A peer of another organisation, asked as one's own identity. */
  async otherPeer(peer: PeerAddress): Promise<Ledger> {
    const ledger = await this.connect(peer);
    this.others.push(ledger);
    return ledger;
  }

  /** The block that holds a transaction. @throws ShuttleError NOT_FOUND when none does */
  async blockOf(txId: string): Promise<Uint8Array> {
    this.opened ??= this.openLedger();
    return await (await this.opened).blockOf(txId);
  }

  /** Reads the identity's files. @throws ShuttleError FILE_UNREADABLE, IDENTITY_INVALID */
  async identity(): Promise<Identity> {
    const { mspFolder } = fabricConnection(this.settings);
    const identity = await readMspIdentity(mspFolder, this.clock.now());
    this.lookAt(identity.keyFile);
    return identity;
  }

  /** Says of each secret of the Kafka side that others can read it, here or on the way. */
  lookAtKafkaSecrets(): void {
    const { tls, sasl } = this.settings.kafka;
    this.lookAt(tls.key, sasl.passwordFile);
    if (sasl.mechanism === 'plain' && !tls.enabled && !this.looked.has('plain')) {
      this.looked.add('plain');
      const fields = { mechanism: sasl.mechanism, fix: 'kafka.tls.enabled: true' };
      this.log.warn(fields, 'configured a password to travel without TLS');
    }
  }

  /** The same of the keys that what is published is protected with. */
  lookAtPublishSecrets(): void {
    this.lookAt(...publishSecretFiles(this.settings));
  }

  /** The same of the schema registry's. */
  lookAtRegistrySecrets(): void {
    const { url, passwordFile } = this.settings.clean.registry;
    this.lookAt(passwordFile);
    if (passwordFile !== undefined && url?.startsWith('https:') !== true) {
      const fields = { url, fix: 'clean.registry.url: https://...' };
      this.log.warn(fields, 'configured a password to travel without TLS');
    }
  }

  /** The sides that were asked and have not answered yet. */
  unanswered(): readonly FarSide[] {
    const silent: FarSide[] = [];
    if (this.client?.pending.any === true) {
      silent.push({ side: 'kafka', endpoint: this.client.options.brokers.join(',') });
    }
    if (this.gateway?.pending.any === true) {
      silent.push({ side: 'fabric', endpoint: fabricConnection(this.settings).endpoint });
    }
    return silent;
  }

  async close(): Promise<void> {
    const ledgers = [this.gateway, ...this.others];
    await Promise.allSettled([this.client?.close(), ...ledgers.map((each) => each?.close())]);
  }

  private async openLedger(): Promise<ConnectedLedger> {
    this.gateway = await this.connect(fabricConnection(this.settings));
    return this.gateway;
  }

  private async connect(peer: PeerAddress): Promise<ConnectedLedger> {
    const { fabric } = this.settings;
    const { mspId } = fabricConnection(this.settings);
    const { endpoint, tls, tlsCa, serverName } = peer;
    const { certificate, privateKey } = await this.identity();
    return createGatewayLedger(
      {
        endpoint,
        tls,
        tlsCa,
        mspId,
        certificate,
        privateKey,
        ...(serverName === undefined ? {} : { serverName }),
        channel: fabric.channel,
        chaincode: fabric.chaincode,
        endorsingOrganizations: fabric.endorsingOrganizations,
        timeouts: {
          evaluateMs: fabric.evaluateTimeoutMs,
          endorseMs: fabric.endorseTimeoutMs,
          submitMs: fabric.submitTimeoutMs,
          commitStatusMs: fabric.commitStatusTimeoutMs,
          blockSilenceMs: BLOCK_SILENCE_MS_DEFAULT,
        },
      },
      this.clock,
    );
  }

  private lookAt(...paths: readonly (string | undefined)[]): void {
    const fresh = paths.filter((path) => path !== undefined && !this.looked.has(path)) as string[];
    for (const path of fresh) {
      this.looked.add(path);
    }
    for (const { path, mode } of exposedFiles(fresh)) {
      const fields = { path, mode, fix: `chmod 600 ${path}` };
      this.log.warn(fields, 'found a secret that others on this machine can read');
    }
  }
}
