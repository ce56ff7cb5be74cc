/** A peer of another organisation, as a flag names it. */
import { resolve } from 'node:path';
import { fabricConnection } from './connections.ts';
import { readConfigured } from './files.ts';
import { readProfile } from './profile.ts';
import type { Settings } from './schema.ts';

/** How a peer is reached; who asks is told by the settings. */
export interface PeerAddress {
  /** host:port. */
  readonly endpoint: string;
  readonly tls: boolean;
  /** With TLS; undefined trusts the system's authorities. */
  readonly tlsCa: Buffer | undefined;
  readonly serverName: string | undefined;
}

const ADDRESS = /^((?:\[[0-9a-fA-F:]+\]|[^\s:,=/]+):[0-9]{1,5})(?:=(.+))?$/;

/**
 * `host:port=<PEM file of its TLS authority>`, `host:port` with the system's authorities (without
 * TLS where one's own peer speaks none), or a connection profile whose peer is meant.
 *
 * @throws ShuttleError FILE_UNREADABLE, CONFIG_INVALID
 */
export function peerAddress(text: string, cwd: string, settings: Settings): PeerAddress {
  const [, endpoint, ca] = ADDRESS.exec(text) ?? [];
  if (endpoint === undefined) {
    const { tls, tlsCa, serverName, ...profile } = readProfile(resolve(cwd, text));
    return { endpoint: profile.endpoint, tls, tlsCa, serverName };
  }
  const tlsCa = ca === undefined ? undefined : readConfigured(resolve(cwd, ca), '--peer');
  const tls = tlsCa !== undefined || fabricConnection(settings).tls;
  return { endpoint, tls, tlsCa, serverName: undefined };
}
