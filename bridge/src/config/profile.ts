/**
 * Connection profiles, as fabric-samples, Fabric's operators and its SDKs write them: JSON or YAML
 * with client.organization, organizations and peers. Shuttle takes one peer and the MSP id.
 */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ShuttleError } from '../errors.ts';
import { readConfigured } from './files.ts';

/** What Shuttle needs of a profile. */
export interface Profile {
  readonly mspId: string | undefined;
  /** host:port of the first peer of the client's organisation. */
  readonly endpoint: string;
  readonly tls: boolean;
  /** Authorities of the peer's TLS certificate (PEM). */
  readonly tlsCa: Buffer | undefined;
  readonly serverName: string | undefined;
}

const certificates = z.union([
  z.object({ path: z.string() }),
  z.object({ pem: z.union([z.string(), z.array(z.string())]) }),
]);

// Loose: profiles hold much that is for others (certificate authorities, channels, time-outs).
const profileSchema = z.looseObject({
  client: z.looseObject({ organization: z.string().optional() }).optional(),
  organizations: z
    .record(
      z.string(),
      z.looseObject({ mspid: z.string().optional(), peers: z.array(z.string()).optional() }),
    )
    .default({}),
  peers: z.record(
    z.string(),
    z.looseObject({
      url: z.string(),
      tlsCACerts: certificates.optional(),
      grpcOptions: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});

type ProfilePeer = z.output<typeof profileSchema>['peers'][string];

/**
 * Reads a profile; paths in it start at its own folder.
 *
 * @throws ShuttleError FILE_UNREADABLE, CONFIG_INVALID with what the profile lacks
 */
export function readProfile(path: string): Profile {
  const parsed = profileSchema.safeParse(parseProfile(path));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw unfit(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`);
  }
  const { client, organizations, peers } = parsed.data;
  const name = client?.organization ?? Object.keys(organizations)[0];
  const organization = name === undefined ? undefined : organizations[name];
  if (client?.organization !== undefined && organization === undefined) {
    throw unfit(path, `client.organization ${client.organization} is not among organizations`);
  }
  const peerName = organization?.peers?.[0] ?? Object.keys(peers)[0] ?? '';
  const peer = peers[peerName];
  if (peer === undefined) {
    throw unfit(path, `it has no peer ${peerName}`);
  }
  return { mspId: organization?.mspid, ...connection(path, peer) };
}

function connection(path: string, peer: ProfilePeer): Omit<Profile, 'mspId'> {
  const url = /^(grpcs?):\/\/([^/]+)$/.exec(peer.url);
  if (url === null) {
    throw unfit(path, `${peer.url} is not grpcs://host:port`);
  }
  const override =
    peer.grpcOptions['ssl-target-name-override'] ?? peer.grpcOptions.hostnameOverride;
  return {
    endpoint: url[2] ?? '',
    tls: url[1] === 'grpcs',
    tlsCa: pem(path, peer.tlsCACerts),
    serverName: typeof override === 'string' ? override : undefined,
  };
}

function pem(profile: string, given: ProfilePeer['tlsCACerts']): Buffer | undefined {
  if (given === undefined) {
    return undefined;
  }
  if ('pem' in given) {
    return Buffer.from(Array.isArray(given.pem) ? given.pem.join('\n') : given.pem);
  }
  const path = isAbsolute(given.path) ? given.path : join(dirname(profile), given.path);
  return readConfigured(resolve(path), 'fabric.profile tlsCACerts');
}

function parseProfile(path: string): unknown {
  const text = readConfigured(path, 'fabric.profile').toString();
  try {
    // YAML holds JSON too.
    return parse(text);
  } catch (cause) {
    throw new ShuttleError('CONFIG_INVALID', 'The connection profile is neither JSON nor YAML.', {
      cause,
      at: { path },
    });
  }
}

function unfit(path: string, lack: string): ShuttleError {
  return new ShuttleError('CONFIG_INVALID', 'The connection profile cannot be used.', {
    at: { 'fabric.profile': lack, path },
  });
}
