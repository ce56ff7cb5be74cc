import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadSettings } from '../../../bridge/src/config/load.ts';
import { runCommand } from '../../support/fake-shuttle.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = createTemporaryFolder();
  folder.write(
    'org1/connection.json',
    JSON.stringify({
      client: { organization: 'Org1' },
      organizations: { Org1: { mspid: 'Org1MSP', peers: ['p'] } },
      peers: { p: { url: 'grpc://p:7051' } },
    }),
  );
});
afterEach(() => {
  folder.remove();
});

const init = (...args: string[]) =>
  runCommand(['config', 'init', '--profile', 'org1/connection.json', ...args], {
    cwd: folder.path,
  });
const written = () => readFileSync(join(folder.path, 'shuttle.yaml'), 'utf8');

describe('config init', () => {
  test('writes a file that is valid and says what the network needs', async () => {
    const { code } = await init('--identity', 'org1/msp', '--channel', 'c1', '--brokers', 'k:1');
    expect(code).toBe(0);
    expect(written()).toMatchSnapshot();
    const { settings } = loadSettings({ env: {}, cwd: folder.path, flags: [] });
    expect(settings.fabric).toMatchObject({
      channel: 'c1',
      profile: join(folder.path, 'org1/connection.json'),
      identity: { mspId: 'Org1MSP', msp: join(folder.path, 'org1/msp') },
    });
    expect(settings.kafka.brokers).toEqual(['k:1']);
  });

  test('never replaces a file without --force', async () => {
    folder.write('shuttle.yaml', 'log: { level: warn }\n');
    const { code, stderr } = await init();
    expect([code, written()]).toEqual([2, 'log: { level: warn }\n']);
    expect(stderr).toContain('The file is there already; --force replaces it. [USAGE]');
    expect((await init('--force')).code).toBe(0);
    expect(written()).toContain('mspId: Org1MSP');
  });

  test('a profile that cannot be used writes nothing', async () => {
    folder.write('org1/connection.json', '{"peers":{}}');
    expect((await init()).code).toBe(2);
    expect(written).toThrow('ENOENT');
  });
});
