/** The story as partners' systems tell it: the same facts, each in a spelling of its own. */
import type { Sent } from './kafka.ts';
import type { Random } from './random.ts';
import type { DemoRecord } from './story.ts';

/** Local time in Colombia is so far behind UTC. */
const OFFSET_MS = -5 * 3_600_000;
const OFFSET = '-05:00';

const WORDS: readonly ((vocabulary: 'bizstep' | 'disp', word: string) => string)[] = [
  (_, word) => word,
  (vocabulary, word) => `urn:epcglobal:cbv:${vocabulary}:${word}`,
  (vocabulary, word) => `https://ref.gs1.org/cbv/${WEB[vocabulary]}-${word}`,
];
const WEB = { bizstep: 'BizStep', disp: 'Disp' } as const;

/** Whole capture documents are about a fourth of what arrives. */
const DOCUMENT_SHARE = 0.25;

/** An event of the story as a raw record; its key keeps an event and its correction in order. */
export function rawEvent({ key, value }: DemoRecord, random: Random): Sent {
  const { '@context': context, ...event } = JSON.parse(value ?? '') as Record<string, string>;
  const spell = random.pick(WORDS);
  const raw = {
    ...event,
    eventTime: random.chance(0.5) ? localTime(event.eventTime ?? '') : event.eventTime,
    ...(event.bizStep === undefined ? {} : { bizStep: spell('bizstep', event.bizStep) }),
    ...(event.disposition === undefined ? {} : { disposition: spell('disp', event.disposition) }),
  };
  return { key, value: JSON.stringify(inDocument(raw, context, random.chance(DOCUMENT_SHARE))) };
}

function inDocument(event: object, context: unknown, isDocument: boolean): object {
  return isDocument
    ? {
        '@context': context,
        type: 'EPCISDocument',
        schemaVersion: '2.0',
        creationDate: '2025-03-03T05:00:00-05:00',
        epcisBody: { eventList: [event] },
      }
    : { '@context': context, ...event };
}

function localTime(utc: string): string {
  return new Date(Date.parse(utc) + OFFSET_MS).toISOString().replace('Z', OFFSET);
}

const good = {
  '@context': 'https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld',
  type: 'ObjectEvent',
  eventTime: '2025-03-03T10:00:00-05:00',
  eventTimeZoneOffset: '-05:00',
  action: 'OBSERVE',
  bizStep: 'shipping',
  epcList: ['https://id.gs1.org/00/095221000001000006'],
};
const wrong = (key: string, event: object): Sent => ({ key, value: JSON.stringify(event) });

/** Records that are wrong on purpose, each in another way. */
export const WRONG_RECORDS: readonly Sent[] = [
  { key: 'wrong/cut-off', value: '{"type":"ObjectEvent","eventID":"urn:uu' },
  wrong('wrong/check-digit', { ...good, epcList: ['https://id.gs1.org/00/095221000001000007'] }),
  wrong('wrong/word', { ...good, bizStep: 'shiping' }),
  wrong('wrong/future', { ...good, eventTime: '2199-01-01T00:00:00Z' }),
  wrong('wrong/no-offset', { ...good, eventTime: '2025-03-03T10:00:00' }),
  wrong('wrong/another-thing', { order: 4711, pieces: 12 }),
];
