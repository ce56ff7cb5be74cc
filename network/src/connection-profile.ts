import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeAtomically } from './files.ts';
import { type Layout, organizationDir } from './layout.ts';
import type { Peer } from './topology.ts';

/**
 * The connection profile of one organisation, in the form of the fabric-samples test network. No
 * certificate authority is named, because none runs.
 */
export function connectionProfile(peer: Peer, tlsCaPem: string) {
  const name = `Org${peer.org.number}`;
  return {
    name: `test-network-${peer.org.name}`,
    version: '1.0.0',
    client: {
      organization: name,
      connection: { timeout: { peer: { endorser: '300' } } },
    },
    organizations: { [name]: { mspid: peer.org.mspId, peers: [peer.host] } },
    peers: {
      [peer.host]: {
        url: `grpcs://localhost:${peer.port}`,
        tlsCACerts: { pem: tlsCaPem },
        grpcOptions: {
          'ssl-target-name-override': peer.host,
          hostnameOverride: peer.host,
        },
      },
    },
  };
}

/**
 * Writes connection-org1.json and .yaml where fabric-samples puts them: in the organisation's
 * folder.
 */
export async function writeConnectionProfiles(layout: Layout, peer: Peer): Promise<void> {
  const folder = organizationDir(layout, peer.org);
  const pem = await readFile(join(folder, 'tlsca', `tlsca.${peer.org.domain}-cert.pem`), 'utf8');
  const profile = connectionProfile(peer, pem);
  const file = join(folder, `connection-${peer.org.name}`);
  await writeAtomically(`${file}.json`, `${JSON.stringify(profile, undefined, 2)}\n`);
  await writeAtomically(`${file}.yaml`, stringify(profile));
}
