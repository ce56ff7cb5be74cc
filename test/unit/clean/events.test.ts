/** Each event of a document stands alone, and none is lost. */
import { describe, expect, test } from '@jest/globals';
import { validateEpcis } from '../../../bridge/src/clean/epcis.ts';
import { type SplitEvent, splitEpcis } from '../../../bridge/src/clean/events.ts';
import {
  CONTEXT,
  captureDocument,
  EVENTS,
  event,
  queryDocument,
} from '../../support/epcis-samples.ts';
import { because, epcisSamples, isThere } from '../../support/real-data.ts';

const split = (document: unknown): readonly SplitEvent[] => {
  const found = splitEpcis(document);
  if ('sentence' in found) {
    throw new Error(found.sentence);
  }
  return found;
};

const all = [event('ObjectEvent'), event('AggregationEvent')];

describe('the events of a document', () => {
  test('come in their order, with the context that they need and where they stood', () => {
    expect(split(captureDocument(all))).toEqual(
      all.map((each, n) => ({
        event: { '@context': CONTEXT, ...each },
        path: `/epcisBody/eventList/${n}`,
      })),
    );
    const inQuery = '/epcisBody/queryResults/resultsBody/eventList/1';
    expect(split(queryDocument(all))[1]?.path).toBe(inQuery);
  });

  test("keep their own context behind the document's, where it wins", () => {
    const own = { '@context': { example: 'https://other.example.com/' }, ...event('ObjectEvent') };
    expect(split(captureDocument([own]))[0]?.event['@context']).toEqual([
      ...CONTEXT,
      { example: 'https://other.example.com/' },
    ]);
    expect(split(captureDocument([own], { '@context': 'a:b' }))[0]?.event['@context']).toEqual([
      'a:b',
      { example: 'https://other.example.com/' },
    ]);
  });

  test('share nothing that changes with one of them', () => {
    const [one, other] = split(captureDocument(all));
    const context = one?.event['@context'] as { example: string }[];
    (context[1] as { example: string }).example = 'changed';
    expect(other?.event['@context']).toEqual(CONTEXT);
  });

  test('are what a list or a bare event is', () => {
    expect(split(all)).toEqual(all.map((each, n) => ({ event: each, path: `/${n}` })));
    expect(split(all[0])).toEqual([{ event: all[0], path: '' }]);
    expect(split(captureDocument([]))).toEqual([]);
  });
});

test.each([
  [7, '', 'This is neither an EPCIS document nor an event.'],
  [{}, '', '"type" is missing: this is neither an EPCIS document nor an event.'],
  [[event('ObjectEvent'), 7], '/1', 'An event has to be an object.'],
  [
    captureDocument([], { epcisBody: {} }),
    '/epcisBody/eventList',
    'The EPCISDocument has no list of events here.',
  ],
])('what has no events is a finding: %p', (document, path, sentence) => {
  expect(splitEpcis(document)).toEqual({ path, sentence });
});

test('an event of each type is valid alone as it was in the document', () => {
  const document = captureDocument(Object.values(EVENTS));
  expect(split(document).map(({ event: each }) => validateEpcis(each))).toEqual(
    Array(5).fill(null),
  );
});

const maybe = isThere ? test : test.skip;

maybe(`what is valid in a document beside the project is valid alone${because}`, () => {
  const documents = [...epcisSamples('Capture/Documents'), ...epcisSamples('Query')];
  const right = documents.filter(({ document }) => validateEpcis(document) === null);
  const events = right.flatMap(({ document }) => split(document));
  expect(events.length).toBeGreaterThan(50);
  expect(events.filter(({ event: each }) => validateEpcis(each) !== null)).toEqual([]);
});
