/** trace, item and recall: the same answers for people, spreadsheets and programs. */
import { describe, expect, test } from '@jest/globals';
import { evaluateOn, MemoryEventStore } from '../../support/event-store.ts';
import { runCommand } from '../../support/fake-shuttle.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const LOT = 'https://id.gs1.org/01/09506000134352/10/L1';
const ITEM = 'https://id.gs1.org/01/09506000134352/21/A-7';
const CASE = 'https://id.gs1.org/00/095060001343520018';

const IN_CASE = 'in (00)095060001343520018';

const store = new MemoryEventStore();
const event = (key: string, type: string, minute: number, members: Record<string, unknown>) =>
  store.put(`event/${key}`, { type, action: 'OBSERVE', eventTime: at(minute), ...members });
event('made', 'ObjectEvent', 1, {
  epcList: [ITEM],
  _qualifiers: { [ITEM]: { 10: 'L1' } },
  bizStep: 'commissioning',
  readPoint: { id: '=line' },
});
event('packed', 'AggregationEvent', 2, { action: 'ADD', parentID: CASE, childEPCs: [ITEM] });
event('sent', 'ObjectEvent', 3, {
  epcList: [CASE],
  bizStep: 'shipping',
  disposition: 'in_transit',
  bizLocation: { id: 'https://id.gs1.org/414/9506000134376' },
});
event('cooked', 'TransformationEvent', 4, {
  inputEPCList: [CASE],
  outputEPCList: ['urn:x:soup, "hot"'],
});

const evaluate = evaluateOn(store, 2);
const run = (...args: readonly string[]) => runCommand(args, { ledger: { evaluate } });
const byModel = (...args: readonly string[]) => {
  const state = { file: 'model.db', block: 7n, completeAtMs: 0 };
  const readModel = () => ({ state, events: store, list: () => [], close: () => undefined });
  return runCommand(args, { ledger: { evaluate }, shuttle: { readModel } });
};

describe('trace', () => {
  test('draws both directions, whatever the spelling of the identifier', async () => {
    const { code, stdout } = await run('trace', '(01)09506000134352(21)A-7');
    expect(stdout).toBe(`What it comes from, and holds:
(01)09506000134352(21)A-7
└─ of lot (01)09506000134352(10)L1  ${at(1)}
What it went into:
(01)09506000134352(21)A-7
└─ in (00)095060001343520018  ${at(2)}
   └─ used by event/cooked  ${at(4)}
      └─ made urn:x:soup, "hot"  ${at(4)}
`);
    expect(code).toBe(0);
    const urn = await run('trace', 'urn:epc:id:sgtin:9506000.013435.A-7');
    expect(urn.stdout).toBe(stdout);
  });

  test('goes so far, and so many things, and says what it left out', async () => {
    const near = await run('trace', LOT, '--down', '--depth', '1');
    expect(near.stdout.split('\n')).toHaveLength(4);
    expect(near.stderr).toContain('--depth goes farther');
    const few = await run('trace', LOT, '--down', '--max-nodes', '2');
    expect(few.stderr).toContain('after 2 things there are more');
  });

  test('tells the graph for programs and for Graphviz', async () => {
    const { stdout } = await run('trace', LOT, '--json');
    const { up, down } = JSON.parse(stdout);
    expect(up.edges).toEqual([]);
    expect(down.nodes.map(({ id }: { id: string }) => id)).toEqual([
      LOT,
      ITEM,
      CASE,
      'event/cooked',
      'urn:x:soup, "hot"',
    ]);
    expect(down.edges).toHaveLength(4);
    const dot = (await run('trace', LOT, '--dot')).stdout;
    expect(dot).toContain(`"event/cooked" -> "urn:x:soup, \\"hot\\"" [label="output ${at(4)}"];`);
  });

  test('ends with 1 when nothing is known', async () => {
    expect((await run('trace', 'urn:x:nothing')).code).toBe(1);
  });
});

describe('item', () => {
  test('tells where it is, what it is in, and its events', async () => {
    const { code, stdout } = await run('item', ITEM);
    expect(stdout).toBe(`(01)09506000134352(21)A-7
  seen         (414)9506000134376  ${at(3)}  in (00)095060001343520018
  step         shipping  ${at(3)}
  disposition  in_transit  ${at(3)}
  in           (00)095060001343520018  since ${at(2)}
  lot          (01)09506000134352(10)L1
  events       4
    ${at(1)}  Object OBSERVE          commissioning  =line               event/made
    ${at(2)}  Aggregation ADD         -              -                   event/packed
    ${at(3)}  Object OBSERVE          shipping       (414)9506000134376  event/sent    ${IN_CASE}
    ${at(4)}  Transformation OBSERVE  -              -                   event/cooked  ${IN_CASE}
`);
    expect(code).toBe(0);
  });

  test('tells it as it was', async () => {
    const { stdout } = await run('item', ITEM, '--as-of', '2026-01-01T01:01:30+01:00', '--json');
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ asOf: at(1).replace(':00.000', ':30.000'), containers: [] });
    expect(answer.events).toHaveLength(1);
  });

  test('ends with 1 when no event names it, and with 2 for what is no identifier', async () => {
    expect((await run('item', 'urn:x:nothing')).code).toBe(1);
    const wrong = await run('item', '(01)09506000134353');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('check digit')]);
    expect((await run('item', ITEM, '--as-of', 'yesterday')).code).toBe(2);
  });
});

test.each(['trace', 'item', 'recall'])('%s that could not look at all says so', async (command) => {
  const cut = async (name: string, args: readonly string[]) => {
    const answer = JSON.parse(String(await evaluate(name, args)));
    return Buffer.from(JSON.stringify({ ...answer, partial: [CASE] }));
  };
  const { code, stderr } = await runCommand([command, ITEM], { ledger: { evaluate: cut } });
  expect(code).toBe(1);
  expect(stderr).toContain('(00)095060001343520018 has more events than were looked at');
});

describe('recall', () => {
  test('is a table for spreadsheets, with a header, in which no cell is a formula', async () => {
    const { code, stdout } = await run('recall', '(01)09506000134352(10)L1');
    const [header, lot, first, second, soup] = stdout.split('\n');
    expect(header).toBe(
      'identifier,readable,depth,found_by,via,since,until,last_seen,business_location,read_point,inside,' +
        'step,disposition,event',
    );
    expect(lot).toBe(`${LOT},(01)09506000134352(10)L1,0,,,,,,,,,,,`);
    expect(first).toBe(
      `${ITEM},(01)09506000134352(21)A-7,1,lot,${LOT},,,${at(3)},` +
        `https://id.gs1.org/414/9506000134376,,${CASE},shipping,in_transit,event/sent`,
    );
    expect(second).toContain(`${CASE},(00)095060001343520018,2,contained,${ITEM},`);
    expect(soup).toBe(`"urn:x:soup, ""hot""","urn:x:soup, ""hot""",3,output,${CASE},,,,,,,,,`);
    expect(code).toBe(0);
    const early = await run('recall', LOT, '--as-of', at(1));
    expect(early.stdout).toContain(",'=line,");
  });

  test('that is cut off says so, and does not pass for a whole one', async () => {
    const { code, stderr, stdout } = await run('recall', LOT, '--max-nodes', '2');
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect([code, stderr]).toEqual([1, expect.stringContaining('This is not all')]);
  });

  test('is the same by the read model, which is asked first and says so', async () => {
    const ledger = await byModel('recall', LOT, '--ledger');
    const model = await byModel('recall', LOT);
    expect(model.stdout).toBe(ledger.stdout);
    expect([model.stderr, ledger.stderr]).toEqual([expect.stringContaining('model.db'), '']);
  });

  test('of what nobody knows ends with 1', async () => {
    expect((await run('recall', '(01)09506000134352(10)L2')).code).toBe(1);
  });
});
