/** Regular expressions that take time as the text is long, and find what JavaScript's find. */
import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { LinearRegExp } from '../../../bridge/src/clean/pattern.ts';
import { cleanedValue, problemsOf, refusalOf, stepOf } from './cleaning.ts';

const EVIL = '(a+)+b';
const LONG = 'a'.repeat(100_000);

describe('a regular expression that would go back without end', () => {
  it('of a rule is done soon', async () => {
    const nulls = { nulls: { members: ['x'], patterns: [EVIL] } };
    expect(await stepOf(nulls, { x: LONG })).toEqual({ x: LONG });
  });

  it('of a schema is done soon', async () => {
    const schema = { properties: { x: { pattern: `^${EVIL}$` } } };
    const steps = [{ rule: 'shape', validate: { schema } }];
    expect(await refusalOf({ steps }, JSON.stringify({ x: LONG }))).toMatchObject({
      code: 'SCHEMA_VIOLATED',
    });
  });

  it.each(['$contains(x, /E/)', '$match(x, /E/)', '$replace(x, /E/, "c")', '$split(x, /E/)'])(
    'of %s is done soon',
    async (text) => {
      const expression = `$string(${text.replace('E', EVIL)})`;
      await cleanedValue(
        { steps: [{ rule: 'm', map: { to: 'y', expression } }] },
        `{"x":"${LONG}"}`,
      );
    },
  );
});

describe('a regular expression that is not taken', () => {
  const rules = (step: object) => ({ name: 'n', version: 1, steps: [{ rule: 'a', ...step }] });
  it.each([
    ['look-ahead', 'a(?=b)'],
    ['look-behind', '(?<!a)b'],
    ['a back reference', '(a)\\1'],
    ['a repeat beyond a thousand', 'a{1001}'],
    ['what is none', 'a('],
  ])('is told with the rule file: %s', (_, source) => {
    const [nulls] = problemsOf(rules({ nulls: { members: 'all', patterns: [source] } }));
    expect(nulls).toContain('patterns.0: ');
    expect(nulls).toContain('is not a regular expression that is taken');
    const [schema] = problemsOf(rules({ validate: { schema: { pattern: source } } }));
    expect(schema).toContain('it is no JSON Schema that can be used');
    const [map] = problemsOf(rules({ map: { expression: `$match(x, /${source}/)` } }));
    expect(map).toMatch(/is not a regular expression that is taken|is not JSONata/);
  });
});

test('one that is used within itself finds each time what it found alone', async () => {
  const expression =
    '$replace(x, /a(.)/, function($m) { $count($match("a1a2a3", /a(.)/)) & $m.match })';
  const steps = [{ rule: 'm', map: { to: 'y', expression } }];
  expect(await cleanedValue({ steps }, '{"x":"-a7-a8-"}')).toMatchObject({ y: '-3a7-3a8-' });
});

describe('what is found', () => {
  const all = (engine: { exec(text: string): unknown; lastIndex: number }, text: string) => {
    const found: unknown[] = [];
    for (
      let match = engine.exec(text);
      match !== null && found.length < 9;
      match = engine.exec(text)
    ) {
      const { index } = match as { index: number };
      found.push([index, ...(match as unknown as Iterable<unknown>)]);
      if (found.length > 0 && (match as string[])[0] === '') {
        break;
      }
    }
    return found;
  };

  it.each([
    ['([A-Z]{2})', 'g', 'NC, GA'],
    ['^a|b', 'g', 'aab'],
    ['(a)|(b)', 'g', 'ab'],
    ['(?<n>x)\\b', 'g', 'x xx x'],
    ['\\u{1F4E6}.', 'gu', 'é\u{1F4E6}1\u{1F4E6}2'],
    ['^.$', 'gm', 'a\nb'],
    ['STRASSE', 'gi', 'strasse'],
    ['[^\\d]+', 'g', '1a2'],
    ['', 'g', 'ab'],
  ])('by /%s/%s in %j is what JavaScript finds', (source, flags, text) => {
    expect(all(new LinearRegExp(source, flags), text)).toEqual(
      all(new RegExp(source, flags), text),
    );
  });

  it('is the same for texts of any characters', () => {
    const sources = ['a.c', '[\\w-]+', '(x|yz)*', '\\d{2,3}', 'é|\\u{1F4E6}', '[^a-z]'];
    const text = fc
      .array(fc.constantFrom(...Array.from('acxyz-019é \u{1F4E6}')))
      .map((each) => each.join(''));
    fc.assert(
      fc.property(fc.constantFrom(...sources), text, (source, where) => {
        const [own, theirs] = [new LinearRegExp(source), new RegExp(source, 'u')];
        expect(own.test(where)).toBe(theirs.test(where));
        const whole = new RegExp(`^(?:${source})$`, 'u').exec(where);
        expect(own.whole(where)).toEqual(whole === null ? null : [...whole]);
      }),
      { numRuns: 500 },
    );
  });
});
