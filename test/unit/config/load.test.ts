import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type LoadInput, loadSettings } from '../../../bridge/src/config/load.ts';
import { environmentName, SETTINGS } from '../../../bridge/src/config/settings.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  folder.remove();
});

const load = (input: Partial<LoadInput> = {}) =>
  loadSettings({ env: {}, cwd: folder.path, flags: [], ...input });

function failure(input: Partial<LoadInput>): ShuttleError {
  try {
    load(input);
  } catch (error) {
    if (error instanceof ShuttleError) {
      return error;
    }
  }
  throw new Error('the settings were accepted');
}

const set = (path: string, value: string) => ({ path, value, flag: '--set' });

describe('where a value comes from', () => {
  test('without anything every setting has its default', () => {
    const { settings, sources, file } = load();
    expect(settings.kafka.brokers).toEqual(['localhost:9092']);
    expect(settings.ingest.lanes).toBe(16);
    expect(new Set(sources.values())).toEqual(new Set(['default']));
    expect(file).toBeUndefined();
  });

  test('a flag goes before the environment, that before the file, that before the default', () => {
    folder.write('shuttle.yaml', 'ingest:\n  lanes: 1\n  batchAgeMs: 1\n  batchRecords: 1\n');
    const { settings, sources } = load({
      env: { SHUTTLE_INGEST__LANES: '2', SHUTTLE_INGEST__BATCH_AGE_MS: '2' },
      flags: [set('ingest.lanes', '3')],
    });
    const { lanes, batchAgeMs, batchRecords, inFlightMax } = settings.ingest;
    expect([lanes, batchAgeMs, batchRecords, inFlightMax]).toEqual([3, 2, 1, 32]);
    expect(sources.get('ingest.lanes')).toBe('--set');
    expect(sources.get('ingest.batchAgeMs')).toBe('SHUTTLE_INGEST__BATCH_AGE_MS');
    expect(sources.get('ingest.batchRecords')).toBe('shuttle.yaml:4');
    expect(sources.get('ingest.inFlightMax')).toBe('default');
  });

  test('--config goes before SHUTTLE_CONFIG, and that before shuttle.yaml', () => {
    folder.write('shuttle.yaml', 'ingest: { lanes: 1 }');
    folder.write('b.yaml', 'ingest: { lanes: 2 }');
    folder.write('c.yaml', 'ingest: { lanes: 3 }');
    const env = { SHUTTLE_CONFIG: 'b.yaml' };
    expect(load().settings.ingest.lanes).toBe(1);
    expect(load({ env }).settings.ingest.lanes).toBe(2);
    expect(load({ env, file: 'c.yaml' }).settings.ingest.lanes).toBe(3);
  });

  test('every setting can be given by its environment variable', () => {
    for (const setting of SETTINGS) {
      const name = environmentName(setting.path);
      const source = (() => {
        try {
          return load({ env: { [name]: '\u0001 nonsense' } }).sources.get(setting.path);
        } catch (error) {
          return Object.values((error as ShuttleError).at).join();
        }
      })();
      expect(source).toContain(name);
    }
  });

  test('lists are separated by commas, and an empty variable counts as absent', () => {
    const { settings } = load({
      env: { SHUTTLE_KAFKA__BROKERS: 'a:1, b:2', SHUTTLE_INGEST__TOPICS: '' },
    });
    expect(settings.kafka.brokers).toEqual(['a:1', 'b:2']);
    expect(settings.ingest.topics).toEqual(['shuttle.cleaned']);
  });

  test('a relative path starts at the folder of the file, or at the working folder', () => {
    folder.write('deep/shuttle.yaml', 'fabric:\n  profile: p.yaml\n');
    const { settings } = load({
      file: 'deep/shuttle.yaml',
      flags: [set('fabric.identity.msp', 'msp')],
    });
    expect(settings.fabric.profile).toBe(join(folder.path, 'deep/p.yaml'));
    expect(settings.fabric.identity.msp).toBe(join(folder.path, 'msp'));
  });
});

describe('the local network', () => {
  const org1 = 'organizations/peerOrganizations/org1.example.com';

  test('is used when it is there and nobody names another peer', () => {
    const profile = folder.write(`.shuttle-network/${org1}/connection-org1.yaml`, '');
    folder.write(`.shuttle-network/${org1}/users/User1@org1.example.com/msp/x`, '');
    const { settings, sources } = load();
    expect(settings.fabric.profile).toBe(profile);
    expect(settings.fabric.identity.msp).toMatch(/User1@org1\.example\.com\/msp$/);
    expect(sources.get('fabric.profile')).toBe('local network');
    const other = load({ flags: [set('fabric.peer.endpoint', 'peer:7051')] }).settings.fabric;
    expect([other.profile, other.identity.msp]).toEqual([undefined, undefined]);
  });

  test('may lie in another folder', () => {
    const profile = folder.write(`net/${org1}/connection-org1.yaml`, '');
    const { settings } = load({ env: { SHUTTLE_NETWORK_DIR: 'net' } });
    expect(settings.fabric.profile).toBe(profile);
  });
});

describe('what is not valid', () => {
  test('names the setting, the line that gives it and what is allowed', () => {
    folder.write('shuttle.yaml', 'kafka:\n  brokers: [a:1, b]\ningest:\n\n  lanes: 257\n');
    const error = failure({});
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toBe('2 settings are not valid: kafka.brokers, ingest.lanes.');
    expect(error.at).toEqual({
      'kafka.brokers': '["a:1","b"] is not a list of host:port (shuttle.yaml:2)',
      'ingest.lanes': '257 is not a whole number from 1 to 256 (shuttle.yaml:5)',
    });
  });

  test('an unknown setting is an error that offers the nearest one', () => {
    folder.write('shuttle.yaml', 'ingest:\n  batchRecord: 5\nkafak: {}\n');
    const env = { SHUTTLE_HTTP__PROT: '1' };
    const { at } = failure({ env, flags: [set('log.levle', 'info')] });
    expect(at).toEqual({
      'ingest.batchRecord':
        'there is no such setting; did you mean ingest.batchRecords? (shuttle.yaml:2)',
      kafak: 'there is no such setting; did you mean kafka? (shuttle.yaml:3)',
      SHUTTLE_HTTP__PROT:
        'there is no such setting; did you mean SHUTTLE_HTTP__PORT? (environment)',
      'log.levle': 'there is no such setting; did you mean log.level? (--set)',
    });
  });

  test('a variable that lacks only an underscore is told; other programs may have theirs', () => {
    const { at } = failure({ env: { SHUTTLE_KAFKA_BROKERS: 'a:1', SHUTTLE_CACHE: 'x' } });
    expect(Object.keys(at)).toEqual(['SHUTTLE_KAFKA_BROKERS']);
    expect(load({ env: { SHUTTLE_CACHE: 'x' } }).settings.kafka.brokers).toHaveLength(1);
  });

  test('a password is not accepted as a value, and not repeated in the error', () => {
    folder.write('shuttle.yaml', 'kafka:\n  sasl:\n    password: hunter2\n');
    const error = failure({});
    const [sentence] = Object.values(error.at);
    expect(sentence).toContain('kafka.sasl.passwordFile');
    expect(JSON.stringify(error.at) + error.message).not.toContain('hunter2');
  });

  test('settings that contradict each other are told with a reason', () => {
    const { at } = failure({
      flags: [
        set('kafka.tls.ca', 'ca.pem'),
        set('kafka.sasl.mechanism', 'plain'),
        set('kafka.tls.key', 'k'),
      ],
    });
    expect(at['kafka.tls.ca']).toContain('no effect while kafka.tls.enabled is false');
    expect(at['kafka.sasl.mechanism']).toContain('it needs kafka.sasl.username too');
    expect(at['kafka.tls.key']).toBeDefined();
  });

  test.each([
    ['kafka: [', 'shuttle.yaml:1'],
    ['- a\n- b\n', 'the file'],
    ['kafka: 5\n', 'it is a group of settings'],
    ['kafka:\n  clientId: a\n  clientId: b\n', 'unique'],
    ['http: { port: 9464.5 }\n', 'a whole number from 0 to 65535'],
    ['kafka: { createTopics: "yes" }\n', 'true or false'],
    ['ingest: { keyExpression: a/b }\n', 'a JSON Pointer'],
    ['ingest: { topics: [] }\n', 'a list of topic names'],
  ])('%j is told as %s', (text, told) => {
    folder.write('shuttle.yaml', text);
    expect(JSON.stringify(failure({}).at)).toContain(told);
  });

  test('a file that is named but not there is told with its path', () => {
    const error = failure({ file: 'none.yaml' });
    expect([error.code, error.at]).toEqual([
      'FILE_UNREADABLE',
      { setting: '--config', path: join(folder.path, 'none.yaml') },
    ]);
  });

  test('an empty file and empty groups are valid', () => {
    folder.write('shuttle.yaml', '# nothing\n');
    expect(load().settings.ingest.lanes).toBe(16);
    folder.write('shuttle.yaml', 'kafka:\nfabric:\n  peer:\n');
    expect(load().settings.ingest.lanes).toBe(16);
  });
});
