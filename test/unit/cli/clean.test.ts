/** `shuttle clean`: files in, cleaned documents out, and every record accounted for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../support/fake-shuttle.ts';
import { registered, startRegistry } from '../../support/schema-registry.ts';
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;

const RULES = `
name: orders
version: 2
key: /id
steps:
  - rule: tidy
    trim: { members: all }
  - rule: mode
    enumerations: { members: [mode], values: { Air: [AIR, by air], Sea: [] } }
`;

beforeAll(() => {
  folder = createTemporaryFolder();
  folder.write('rules.yaml', RULES);
  folder.write('folder.csv/file', '');
  folder.write('in.csv', 'id,mode\n1, AIR\n2,Truck\n3,"Sea"x\n4,Sea\n');
});
afterAll(() => folder.remove());

const clean = (args: string) => runCommand(['clean', ...args.split(' ')], { cwd: folder.path });
const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

const AIR = {
  key: '1',
  value: { id: '1', mode: 'Air', _cleaned: { rules: 'orders', version: 2 } },
};
const SEA = {
  key: '4',
  value: { id: '4', mode: 'Sea', _cleaned: { rules: 'orders', version: 2 } },
};

describe('shuttle clean', () => {
  it('writes cleaned documents to standard output, and what was refused beside it', async () => {
    const { code, stdout, stderr } = await clean('--file in.csv --rules rules.yaml');
    expect([code, lines(stdout)]).toEqual([0, [AIR, SEA]]);
    expect(stderr).toBe(
      '4 records: 2 cleaned into 2 documents, 2 refused, by orders 2\n' +
        ' 1  mode    WORD_UNKNOWN\n' +
        ' 1  format  CSV_INVALID\n' +
        'line 3: "Truck" is not listed.\n' +
        'line 4: A quote stands in the middle of a cell.\n',
    );
  });

  it('keeps each refused record with its line, its rule and its own bytes', async () => {
    const args = '--file in.csv --rules rules.yaml --out out.jsonl --refused refused.jsonl --json';
    const { code, stdout } = await clean(args);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        rules: 'orders',
        version: 2,
        records: 4,
        cleaned: 2,
        documents: 2,
        dropped: 0,
        refused: 2,
        isStopped: false,
        refusals: [
          { rule: 'mode', code: 'WORD_UNKNOWN', records: 1 },
          { rule: 'format', code: 'CSV_INVALID', records: 1 },
        ],
      },
    ]);
    expect(lines(read('out.jsonl'))).toEqual([AIR, SEA]);
    expect(lines(read('refused.jsonl'))).toMatchObject([
      { line: 3, rule: 'mode', code: 'WORD_UNKNOWN', pointer: '/mode', text: '2,Truck\n' },
      { line: 4, rule: 'format', code: 'CSV_INVALID', text: '3,"Sea"x\n' },
    ]);
  });

  it('keeps bytes that are no text in base64', async () => {
    folder.write('latin.csv', Buffer.from('id,mode\n1,S\xe9a\n', 'latin1'));
    await clean('--file latin.csv --rules rules.yaml --refused refused.jsonl');
    const [refused] = lines(read('refused.jsonl')) as { base64: string; sentence: string }[];
    expect(refused?.sentence).toBe('Column "mode": Byte 1 is not UTF-8.');
    expect(Buffer.from(refused?.base64 ?? '', 'base64').toString('latin1')).toBe('1,S\xe9a\n');
  });

  it('ends with 1 when asked to be strict', async () => {
    expect((await clean('--file in.csv --rules rules.yaml --strict')).code).toBe(1);
    folder.write('fine.jsonl', '{"id":1,"mode":"Sea"}\n\n{"id":2,"mode":"Air"}');
    expect((await clean('--file fine.jsonl --rules rules.yaml --strict')).code).toBe(0);
  });

  it('reads JSON lines, JSON and TSV by the names of the files', async () => {
    folder.write('in.json', '{\n "id": "4",\n "mode": " Sea" }\n');
    folder.write('in.tsv', 'mode\tid\rSea\t4\r');
    for (const file of ['in.json', 'in.tsv']) {
      const { stdout } = await clean(`--file ${file} --rules rules.yaml`);
      expect(lines(stdout)).toEqual([SEA]);
    }
  });

  it('never writes over a file that it reads', async () => {
    const { code, stderr } = await clean('--file in.csv --rules rules.yaml --out ./in.csv');
    expect([code, stderr]).toEqual([2, expect.stringContaining('are one file')]);
    expect(read('in.csv')).toContain('Truck');
  });

  it('stops in order when asked to, and says so', async () => {
    const args = ['clean', '--file', 'in.csv', '--rules', 'rules.yaml'];
    const { code, stderr } = await runCommand(args, {
      cwd: folder.path,
      stop: AbortSignal.abort(),
    });
    expect([code, stderr]).toEqual([5, expect.stringContaining('Stopped before the end')]);
  });

  it.each([
    ['--rules rules.yaml --out x', '--out is of a file'],
    ['--file in.csv --rules rules.yaml --until-end', '--until-end is of topics'],
    ['--from a --to a --rules rules.yaml', 'clean.from'],
    ['--file in.csv', '--rules is missing'],
    ['--file no.csv --rules rules.yaml', 'no.csv cannot be read'],
    ['--file . --rules rules.yaml --out x', 'which format the file has'],
    ['--file folder.csv --rules rules.yaml', 'folder.csv cannot be read'],
    ['--file in.csv --rules no.yaml', 'The file of --rules cannot be read'],
    ['--file in.csv --rules preset:none', 'There is no preset "none"'],
    ['--file rules.yaml --rules rules.yaml', 'are one file'],
    ['--file in.xls --rules rules.yaml', 'which format the file has'],
    ['--file in.csv --rules rules.yaml --timestamp yesterday', 'not an ISO 8601 date'],
    ['--file in.csv --rules rules.yaml --out no/where/out', 'no/where/out cannot be written'],
  ])('ends with 2 for %s', async (args, sentence) => {
    const { code, stderr } = await clean(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  });

  it('ends with 2 when a file does not name its columns', async () => {
    folder.write('twice.csv', 'id,id\n1,2\n');
    const { code, stderr } = await clean('--file twice.csv --rules rules.yaml');
    expect([code, stderr]).toEqual([2, expect.stringContaining('"id" stands twice')]);
  });
});

describe('a rule file', () => {
  it('that is not valid is told with every problem and its line', async () => {
    folder.write(
      'wrong.yaml',
      'name: x\nverson: 1\nsteps:\n  - rule: a\n    trimm: {}\n  - rule: a\n' +
        '    trim: { members: all, colapse: true }\n',
    );
    const { code, stderr } = await clean('--file in.csv --rules wrong.yaml');
    expect(code).toBe(2);
    expect(stderr).toMatchInlineSnapshot(`
"Error: The rules of wrong.yaml have 5 problems. [RULES_INVALID]
  At:    line 1: "version" is missing; there is no "verson"; did you mean "version"?
         line 5, steps[0].trimm: there is no "trimm"; did you mean "trim"?
         line 6, steps[1].rule: there is another rule "a"
         line 7, steps[1].trim: there is no "colapse"; did you mean "collapse"?
  Do:    Correct the lines named above; docs/cleaning.md shows what a rule file may say.
"
`);
  });

  it('that is no YAML is told with its line', async () => {
    folder.write('broken.yaml', 'name: x\nsteps: [\n');
    const { code, stderr } = await clean('--file in.csv --rules broken.yaml');
    expect([code, stderr]).toEqual([2, expect.stringContaining('not valid YAML')]);
  });
});

describe('shuttle clean check', () => {
  it('lists the rules of a valid file', async () => {
    const { code, stdout } = await clean('check --rules rules.yaml');
    expect([code, stdout]).toEqual([
      0,
      'rules.yaml is valid: orders 2, 2 rules\n  tidy  trim\n  mode  enumerations\n',
    ]);
    const { stdout: json } = await clean('check --rules preset:shipments --json');
    expect(JSON.parse(json)).toMatchObject({ ok: true, name: 'shipments' });
  });

  it('tells every problem of another one', async () => {
    const { code, stderr } = await clean('check --rules wrong.yaml --json');
    expect([code, JSON.parse(stderr)]).toMatchObject([2, { error: { code: 'RULES_INVALID' } }]);
  });
});

describe('shuttle clean explain', () => {
  it('shows what each rule did to a record, side by side', async () => {
    const { code, stdout } = await clean('explain --rules rules.yaml --file in.csv --line 2');
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
"RULE    KIND          MEMBER  BEFORE  AFTER
format  csv           /id             "1"
                      /mode           " AIR"
tidy    trim          /mode   " AIR"  "AIR"
mode    enumerations  /mode   "AIR"   "Air"

key       1
document  {"id":"1","mode":"Air","_cleaned":{"rules":"orders","version":2}}
"
`);
  });

  it('tells which rule refused a record, and ends with 1', async () => {
    const { code, stdout } = await clean('explain --rules rules.yaml --record {"id":1,"mode":"x"}');
    expect(code).toBe(1);
    expect(stdout).toContain('Refused by the rule "mode", WORD_UNKNOWN: "x" is not listed.');
  });

  it('tells the same in JSON', async () => {
    const { stdout } = await clean('explain --json --rules rules.yaml --file in.csv --line 2');
    expect(JSON.parse(stdout)).toEqual({
      steps: [
        {
          rule: 'format',
          kind: 'csv',
          changes: [
            [
              { pointer: '/id', after: '1' },
              { pointer: '/mode', after: ' AIR' },
            ],
          ],
        },
        {
          rule: 'tidy',
          kind: 'trim',
          changes: [[{ pointer: '/mode', before: ' AIR', after: 'AIR' }]],
        },
        {
          rule: 'mode',
          kind: 'enumerations',
          changes: [[{ pointer: '/mode', before: 'AIR', after: 'Air' }]],
        },
      ],
      documents: [AIR],
      refused: null,
    });
  });

  it.each([
    ['--rules rules.yaml', 'tell which record'],
    ['--rules rules.yaml --record {} --file in.csv --line 2', 'tell which record'],
    ['--rules rules.yaml --file in.csv', 'tell which record'],
    ['--rules rules.yaml --file in.csv --line 1', 'There is no record at line 1'],
    ['--rules rules.yaml --file in.csv --line 99', 'There is no record at line 99'],
    ['--record {}', '--rules is missing'],
  ])('ends with 2 for %s', async (args, sentence) => {
    const { code, stderr } = await clean(`explain ${args}`);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  });
});

describe('a file of JSON', () => {
  const expected = (...ids: string[]) =>
    ids.map((id) => ({ ...AIR, key: id, value: { ...AIR.value, id } }));

  it('may be one document, or a list of them, of which each is a record', async () => {
    folder.write('one.json', '\uFEFF{"id": "1", "mode": "AIR"}');
    folder.write('list.json', '\uFEFF[\n{"id":"1","mode":"AIR"},\n {"id":"2"\n,"mode":"AIR"}\n]\n');
    const one = await clean('--file one.json --rules rules.yaml');
    const list = await clean('--file list.json --rules rules.yaml');
    expect([lines(one.stdout), lines(list.stdout)]).toEqual([expected('1'), expected('1', '2')]);
  });

  it('refuses each wrong item alone, and tells a list that was cut off', async () => {
    folder.write('wrong.json', '[{"id":"1","mode":"AIR"},\n{"id":},\n[2],\n{"id":"4"');
    const { stdout, stderr } = await clean('--file wrong.json --rules rules.yaml');
    expect(lines(stdout)).toEqual(expected('1'));
    expect(stderr).toContain('4 records: 1 cleaned into 1 document, 3 refused');
    expect(stderr).toContain('line 2: The text is not JSON');
    expect(stderr).toContain('line 3: The JSON text is a list');
    expect(stderr).toContain('line 4: The list has no end: the file may have been cut off.');
  });

  it('may be a list or document of EPCIS, or one in XML', async () => {
    const event = {
      type: 'ObjectEvent',
      eventTime: '2026-01-02T03:04:05.000Z',
      eventTimeZoneOffset: '+00:00',
      action: 'OBSERVE',
      epcList: ['urn:epc:id:sgtin:9506000.013435.A-7'],
    };
    folder.write('events.json', JSON.stringify([event, { ...event, action: 'DELETE' }]));
    folder.write(
      'event.xml',
      `<ObjectEvent><eventTime>${event.eventTime}</eventTime>
      <eventTimeZoneOffset>+00:00</eventTimeZoneOffset><epcList><epc>${event.epcList[0]}</epc></epcList>
      <action>OBSERVE</action></ObjectEvent>`,
    );
    const keysOf = async (file: string) => {
      const args = `--file ${file} --rules preset:epcis --timestamp 2026-02-01`;
      return lines((await clean(args)).stdout).map((line) => (line as { key: string }).key);
    };
    const [first, second, ...others] = await keysOf('events.json');
    expect([others, first === second]).toEqual([[], false]);
    expect(await keysOf('event.xml')).toEqual([first]);
  });
});

describe('a file of one record with the number of its schema', () => {
  const RULES_OF_REGISTRY = `${RULES}format: registry\n`;
  const args = '--file record.bin --rules registry.yaml';

  it('is read by the schema that the registry has', async () => {
    const registry = await startRegistry({
      '/schemas/ids/7': { schemaType: 'JSON', schema: '{"type": "object"}' },
    });
    folder.write('registry.yaml', RULES_OF_REGISTRY);
    folder.write('record.bin', registered(7, '{"id": "1", "mode": "AIR"}').toString());
    const set = `--set clean.registry.url=${registry.url}`;
    const cleaned = await clean(`${args} ${set}`);
    const explained = await clean(`explain --line 1 ${args} ${set}`);
    await registry.close();
    expect(lines(cleaned.stdout)).toEqual([AIR]);
    expect([explained.code, explained.stdout]).toEqual([0, expect.stringContaining('registry')]);
  });

  it('is an error without a registry, or with one that does not answer', async () => {
    folder.write('registry.yaml', RULES_OF_REGISTRY);
    folder.write('record.bin', registered(7, '{}').toString());
    const without = await clean(args);
    expect([without.code, without.stderr]).toEqual([
      2,
      expect.stringContaining('clean.registry.url'),
    ]);
    const registry = await startRegistry({});
    await registry.close();
    const gone = await clean(`${args} --deadline 1 --set clean.registry.url=${registry.url}`);
    expect([gone.code, gone.stderr]).toEqual([3, expect.stringContaining('REGISTRY_UNREACHABLE')]);
  });
});
