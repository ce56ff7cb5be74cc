import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { generatedPages } from '../../../bridge/src/cli/docs.ts';
import { ERRORS } from '../../../bridge/src/errors.ts';
import { createMeter } from '../../../bridge/src/system/meter.ts';
import { ROOT } from '../../support/sources.ts';

describe('the generated pages', () => {
  test.each([...generatedPages()])('docs/%s says what the code does', (name, text) => {
    // Generate them with: npm run docs -w bridge
    expect(readFileSync(join(ROOT, 'docs', name), 'utf8')).toBe(text);
  });
});

describe('the error table', () => {
  test('says of every code, in sentences, what it is and what to do', () => {
    for (const [code, { title, help }] of Object.entries(ERRORS)) {
      expect([code, title]).toEqual([code, expect.stringMatching(/^[A-Z].*\.$/)]);
      expect([code, help]).toEqual([code, expect.stringMatching(/^[A-Z`].*\.$/)]);
    }
  });
});

describe('docs/operations.md', () => {
  const text = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');

  test('lists every metric, and no other', async () => {
    const exported = await createMeter().metrics();
    const told = [...text.matchAll(/`((?:shuttle|process|nodejs)_[a-z_]+)`/g)].map(
      ([, name]) => name,
    );
    const served = [...exported.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(told)).toEqual(new Set(served));
  });
});

describe('docs/recovery.md', () => {
  test('has a section for every stop code, and for no other', () => {
    const text = readFileSync(join(ROOT, 'docs/recovery.md'), 'utf8');
    const sections = text.split(/^## /m).slice(1);
    const stops = Object.entries(ERRORS).filter(([, { exit }]) => exit === 5);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(stops.map(([code]) => code));
    for (const section of sections) {
      expect(section).toMatch(/^What happened: .*^Safe: .*^Go on: /ms);
    }
  });
});
