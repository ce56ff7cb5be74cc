import { describe, expect, test } from '@jest/globals';
import { environmentName } from '../../../bridge/src/config/settings.ts';
import { runCommand } from '../../support/fake-shuttle.ts';

describe('the command line', () => {
  test('an unknown command is exit code 2 and offers the nearest one', async () => {
    const { code, stdout, stderr } = await runCommand(['getdata', 'k']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatchSnapshot();
  });

  test('an unknown option, a missing argument and a missing command are exit code 2', async () => {
    for (const args of [['getData', 'k', '--jsno'], ['getData'], ['set', 'k'], ['tail', 'x']]) {
      const { code, stderr } = await runCommand(args);
      expect([code, stderr]).toEqual([2, expect.stringContaining('[USAGE]')]);
    }
    const { code, stderr } = await runCommand([]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Usage: shuttle')]);
  });

  test('errors are JSON where JSON was asked for, even when the command line is wrong', async () => {
    const { code, stderr } = await runCommand(['nothing', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE', exit: 2 } });
  });

  test('--version and --help go to standard output with exit code 0', async () => {
    expect(await runCommand(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' });
    const { code, stdout } = await runCommand(['getData', '--help']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('Usage: shuttle getData')]);
  });

  test('settings come from the common options of every command', async () => {
    const { opened } = await runCommand(
      ['getData', 'k', '--channel', 'c1', '--set', 'ingest.lanes=4', '--set', 'http.port=0'],
      {
        ledger: { evaluate: async () => Buffer.from('1') },
        env: { [environmentName('fabric.channel')]: 'c2' },
      },
    );
    expect(opened?.settings.fabric.channel).toBe('c1');
    expect(opened?.settings.ingest.lanes).toBe(4);
    expect(opened?.settings.http.port).toBe(0);
    expect(opened?.sources.get('fabric.channel')).toBe('--channel');
  });

  test('a wrong setting is told with what is allowed, before anything is opened', async () => {
    const { code, stderr, opened } = await runCommand(['ingest', '--set', 'ingest.lanes=many']);
    expect([code, opened]).toEqual([2, undefined]);
    expect(stderr).toMatchSnapshot();
    const half = await runCommand(['ingest', '--set', 'ingest.lanes']);
    expect([half.code, half.stderr]).toEqual([2, expect.stringContaining('--set needs')]);
  });
});

describe('config', () => {
  test('print shows each effective value with its source', async () => {
    const { stdout } = await runCommand(['config', 'print', '--brokers', 'a:1,b:2']);
    expect(stdout).toMatch(/^SETTING +VALUE +SOURCE\n/);
    expect(stdout).toMatch(/^kafka\.brokers +a:1,b:2 +--brokers$/m);
    expect(stdout).toMatch(/^ingest\.lanes +16 +default$/m);
    const { stdout: json } = await runCommand(['config', 'print', '--json']);
    expect(JSON.parse(json)).toMatchObject({ 'ingest.lanes': { value: 16, source: 'default' } });
  });

  test('schema is a JSON Schema that refuses unknown members', async () => {
    const { stdout } = await runCommand(['config', 'schema']);
    expect(JSON.parse(stdout)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      additionalProperties: false,
      properties: { ingest: { properties: { lanes: { minimum: 1, maximum: 256, default: 16 } } } },
    });
  });

  test('check says what was checked, and connects only when asked to', async () => {
    const asked: boolean[] = [];
    const check = async (connect: boolean) => {
      asked.push(connect);
      return [{ name: 'kafka', detail: 'localhost:9092' }];
    };
    const { stdout } = await runCommand(['config', 'check'], { shuttle: { check } });
    expect(stdout).toBe('ok  kafka  localhost:9092\n');
    await runCommand(['config', 'check', '--connect'], { shuttle: { check } });
    expect(asked).toEqual([false, true]);
  });
});
