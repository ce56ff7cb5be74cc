import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fabricConnection, kafkaConnection } from '../../../bridge/src/config/connections.ts';
import { loadSettings } from '../../../bridge/src/config/load.ts';
import { readProfile } from '../../../bridge/src/config/profile.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  folder.remove();
});

const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

/** The shape of fabric-samples' connection-org1.json. */
const sample = (peer: object = {}) => ({
  name: 'test-network-org1',
  version: '1.0.0',
  client: { organization: 'Org1', connection: { timeout: { peer: { endorser: '300' } } } },
  organizations: {
    Org0: { mspid: 'Org0MSP', peers: ['peer0.org0.example.com'] },
    Org1: { mspid: 'Org1MSP', peers: ['peer0.org1.example.com'] },
  },
  peers: {
    'peer0.org0.example.com': { url: 'grpcs://localhost:1' },
    'peer0.org1.example.com': {
      url: 'grpcs://localhost:7051',
      tlsCACerts: { pem: PEM },
      grpcOptions: {
        'ssl-target-name-override': 'peer0.org1.example.com',
        hostnameOverride: 'peer0.org1.example.com',
      },
      ...peer,
    },
  },
  certificateAuthorities: { ca: { url: 'https://localhost:7054' } },
});

const json = (value: object) => folder.write('profile.json', JSON.stringify(value));

function failure(run: () => unknown): ShuttleError {
  try {
    run();
  } catch (error) {
    if (error instanceof ShuttleError) {
      return error;
    }
  }
  throw new Error('nothing was refused');
}

describe('a connection profile', () => {
  test("gives the first peer of the client's organisation", () => {
    expect(readProfile(json(sample()))).toEqual({
      mspId: 'Org1MSP',
      endpoint: 'localhost:7051',
      tls: true,
      tlsCa: Buffer.from(PEM),
      serverName: 'peer0.org1.example.com',
    });
  });

  test('may be YAML, and name its certificates by a path beside it', () => {
    folder.write('tls/ca.pem', PEM);
    const path = folder.write(
      'profile.yaml',
      [
        'client: { organization: Org1 }',
        'organizations: { Org1: { mspid: Org1MSP, peers: [p] } }',
        'peers:',
        '  p:',
        '    url: grpcs://p:7051',
        '    tlsCACerts: { path: tls/ca.pem }',
      ].join('\n'),
    );
    const { endpoint, tlsCa, serverName } = readProfile(path);
    expect([endpoint, tlsCa?.toString(), serverName]).toEqual(['p:7051', PEM, undefined]);
  });

  test('may hold several authorities, and a peer without TLS', () => {
    const several = readProfile(json(sample({ tlsCACerts: { pem: [PEM, PEM] } })));
    expect(several.tlsCa?.toString().match(/BEGIN/g)).toHaveLength(2);
    const plain = readProfile(json(sample({ url: 'grpc://p:1', tlsCACerts: undefined })));
    expect([plain.tls, plain.tlsCa]).toEqual([false, undefined]);
  });

  test.each([
    ['without peers', { organizations: {} }, 'peers'],
    ['whose peer has no port', sample({ url: 'http://x' }), 'grpcs://host:port'],
    ['whose organisation is missing', { ...sample(), organizations: {} }, 'client.organization'],
    ['whose peer is missing', { ...sample(), peers: {} }, 'peer0.org1.example.com'],
  ])('%s is refused with what it lacks', (_, profile, lack) => {
    const error = failure(() => readProfile(json(profile)));
    expect([error.code, error.at['fabric.profile']]).toEqual([
      'CONFIG_INVALID',
      expect.stringContaining(lack),
    ]);
  });

  test('that is not there, or neither JSON nor YAML, is told with its path', () => {
    expect(failure(() => readProfile('/nowhere/p.json')).code).toBe('FILE_UNREADABLE');
    const path = folder.write('p.yaml', '{');
    expect(failure(() => readProfile(path)).at).toEqual({ path });
    const pathless = json(sample({ tlsCACerts: { path: 'none.pem' } }));
    expect(failure(() => readProfile(pathless)).code).toBe('FILE_UNREADABLE');
  });
});

describe('the connections', () => {
  const settings = (flags: Readonly<Record<string, string>>) =>
    loadSettings({
      env: {},
      cwd: folder.path,
      flags: Object.entries(flags).map(([path, value]) => ({ path, value, flag: '--set' })),
    }).settings;

  test("explicit settings go before the profile's, one by one", () => {
    json(sample());
    const connection = fabricConnection(
      settings({
        'fabric.profile': 'profile.json',
        'fabric.identity.msp': 'msp',
        'fabric.peer.endpoint': 'elsewhere:7051',
      }),
    );
    expect(connection).toMatchObject({
      endpoint: 'elsewhere:7051',
      serverName: 'peer0.org1.example.com',
      mspId: 'Org1MSP',
      tlsCa: Buffer.from(PEM),
    });
  });

  test('TLS is spoken with the peer unless somebody has said otherwise', () => {
    const identity = { 'fabric.identity.mspId': 'M', 'fabric.identity.msp': 'msp' };
    const tlsOf = (flags: Readonly<Record<string, string>>): boolean =>
      fabricConnection(settings({ ...identity, ...flags })).tls;
    const peer = { 'fabric.peer.endpoint': 'p:1' };
    expect(tlsOf(peer)).toBe(true);
    expect(tlsOf({ ...peer, 'fabric.peer.tlsEnabled': 'false' })).toBe(false);
    json(sample({ url: 'grpc://p:1', tlsCACerts: undefined }));
    const profile = { 'fabric.profile': 'profile.json' };
    expect(tlsOf(profile)).toBe(false);
    // The address in the profile says nothing of another peer.
    expect(tlsOf({ ...profile, ...peer })).toBe(true);
    expect(tlsOf({ ...profile, 'fabric.peer.tlsEnabled': 'true' })).toBe(true);
    json(sample());
    expect(tlsOf(profile)).toBe(true);
    const both = { ...peer, 'fabric.peer.tlsEnabled': 'false', 'fabric.peer.tlsCa': 'ca.pem' };
    expect(failure(() => tlsOf(both)).at).toHaveProperty(['fabric.peer.tlsCa']);
  });

  test('health and metrics are for this machine alone unless somebody has said otherwise', () => {
    expect(settings({}).http).toEqual({ host: '127.0.0.1' });
  });

  test('what is missing is told by the name of its setting', () => {
    const lack = (flags: Readonly<Record<string, string>>) =>
      Object.keys(failure(() => fabricConnection(settings(flags))).at);
    const peer = { 'fabric.peer.endpoint': 'p:1' };
    expect(lack({})).toEqual(['fabric.profile']);
    expect(lack(peer)).toEqual(['fabric.identity.mspId']);
    expect(lack({ ...peer, 'fabric.identity.mspId': 'M' })).toEqual(['fabric.identity.msp']);
  });

  test('a password is the first line of its file, and TLS files are read', () => {
    folder.write('secret', 'pass word\nmore\n');
    folder.write('ca.pem', PEM);
    const sasl = {
      'kafka.sasl.mechanism': 'scram-sha-512',
      'kafka.sasl.username': 'u',
      'kafka.sasl.passwordFile': 'secret',
    };
    const tls = { 'kafka.tls.enabled': 'true', 'kafka.tls.ca': 'ca.pem' };
    expect(kafkaConnection(settings({ ...sasl, ...tls }))).toEqual({
      brokers: ['localhost:9092'],
      clientId: 'shuttle',
      tls: { ca: Buffer.from(PEM) },
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'pass word' },
    });
    expect(kafkaConnection(settings({}))).toEqual({
      brokers: ['localhost:9092'],
      clientId: 'shuttle',
    });
    const unread = failure(() => kafkaConnection(settings({ ...tls, 'kafka.tls.ca': 'none.pem' })));
    expect(unread.at).toMatchObject({ setting: 'kafka.tls.ca' });
  });
});
