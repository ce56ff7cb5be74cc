/** From settings to what the adapters connect with: files read, profile and defaults worked in. */
import type { ShuttleError } from '../errors.ts';
import { readConfigured } from './files.ts';
import { invalid } from './load.ts';
import { type Profile, readProfile } from './profile.ts';
import type { Settings } from './schema.ts';

export interface FabricConnection {
  readonly endpoint: string;
  readonly tls: boolean;
  /** With TLS; undefined trusts the system's authorities. */
  readonly tlsCa: Buffer | undefined;
  readonly serverName: string | undefined;
  readonly mspId: string;
  /** Folder with signcerts and keystore. */
  readonly mspFolder: string;
}

export interface KafkaConnection {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Absent: without TLS. Empty: TLS with the system's authorities. */
  readonly tls?: {
    readonly ca?: Buffer;
    readonly certificate?: Buffer;
    readonly key?: Buffer;
    readonly serverName?: string;
  };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

/**
 * The peer and the identity; explicit settings go before the profile's.
 *
 * @throws ShuttleError CONFIG_INVALID when a part is not configured; FILE_UNREADABLE
 */
export function fabricConnection({ fabric }: Settings): FabricConnection {
  const profile = fabric.profile === undefined ? undefined : readProfile(fabric.profile);
  const endpoint = fabric.peer.endpoint ?? profile?.endpoint;
  const mspId = fabric.identity.mspId ?? profile?.mspId;
  const mspFolder = fabric.identity.msp;
  if (endpoint === undefined) {
    throw missing('fabric.profile', 'no peer is configured, and no local network is up here');
  }
  if (mspId === undefined) {
    throw missing('fabric.identity.mspId', 'it is needed without a profile that says it');
  }
  if (mspFolder === undefined) {
    throw missing('fabric.identity.msp', 'no identity to sign with is configured');
  }
  const serverName = fabric.peer.serverName ?? profile?.serverName;
  return { endpoint, ...peerTls(fabric.peer, profile), serverName, mspId, mspFolder };
}

/** Without TLS only when the settings say so, or the address of the peer in its profile. */
function peerTls(
  peer: Settings['fabric']['peer'],
  profile: Profile | undefined,
): Pick<FabricConnection, 'tls' | 'tlsCa'> {
  const isPlainProfile = peer.endpoint === undefined && profile?.tls === false;
  const tls = peer.tlsEnabled ?? (peer.tlsCa !== undefined || !isPlainProfile);
  if (!tls) {
    return { tls, tlsCa: undefined };
  }
  if (peer.tlsCa !== undefined) {
    return { tls, tlsCa: readConfigured(peer.tlsCa, 'fabric.peer.tlsCa') };
  }
  if (profile?.tls === true && profile.tlsCa === undefined) {
    throw missing('fabric.peer.tlsCa', "the profile's peer speaks TLS and names no authority");
  }
  return { tls, tlsCa: profile?.tlsCa };
}

/** @throws ShuttleError FILE_UNREADABLE */
export function kafkaConnection({ kafka }: Settings): KafkaConnection {
  const { brokers, clientId, tls, sasl } = kafka;
  return {
    brokers,
    clientId,
    ...(tls.enabled ? { tls: tlsFiles(tls) } : {}),
    ...(sasl.mechanism === undefined
      ? {}
      : {
          sasl: {
            mechanism: sasl.mechanism,
            username: sasl.username ?? '',
            password: firstLine(sasl.passwordFile ?? '', 'kafka.sasl.passwordFile'),
          },
        }),
  };
}

function tlsFiles(tls: Settings['kafka']['tls']): NonNullable<KafkaConnection['tls']> {
  const file = (name: 'ca' | 'certificate' | 'key') =>
    tls[name] === undefined ? {} : { [name]: readConfigured(tls[name], `kafka.tls.${name}`) };
  return {
    ...file('ca'),
    ...file('certificate'),
    ...file('key'),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
  };
}

export interface RegistryAddress {
  readonly url: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly ca: Buffer | undefined;
  readonly timeoutMs: number;
}

/** Undefined when none is configured. @throws ShuttleError FILE_UNREADABLE */
export function registryConnection({ clean }: Settings): RegistryAddress | undefined {
  const { url, username, passwordFile, ca, timeoutMs } = clean.registry;
  const setting = (name: string) => `clean.registry.${name}`;
  return url === undefined
    ? undefined
    : {
        url,
        username,
        password:
          passwordFile === undefined ? undefined : firstLine(passwordFile, setting('passwordFile')),
        ca: ca === undefined ? undefined : readConfigured(ca, setting('ca')),
        timeoutMs,
      };
}

function firstLine(path: string, setting: string): string {
  const [line = ''] = readConfigured(path, setting).toString().split(/\r?\n/);
  return line;
}

function missing(name: string, sentence: string): ShuttleError {
  return invalid([{ name, source: 'not set', sentence }]);
}
