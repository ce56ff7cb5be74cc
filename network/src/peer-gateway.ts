import { createPrivateKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { connect, type Gateway, hash, signers } from '@hyperledger/fabric-gateway';
import type { SigningIdentity } from './discovery.ts';
import { type Layout, peerDir, userDir } from './layout.ts';
import type { Peer } from './topology.ts';

const CALL_DEADLINE_MS = 10_000;
const BYTES_UNLIMITED = -1;

/** What an action has of a peer. */
export interface Connection {
  readonly gateway: Gateway;
  readonly client: Client;
  readonly signing: SigningIdentity;
}

/** A gateway client of one peer, as User1 of its organisation, for the length of an action. */
export async function withGateway<T>(
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
