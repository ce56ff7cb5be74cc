import { describe, expect, test } from '@jest/globals';
import { createIngestSteps, publishStep } from '../../../bridge/src/cli/progress.ts';
import { createMeter } from '../../../bridge/src/system/meter.ts';

describe('progress', () => {
  test('of ingest counts towards what the partitions lacked at first', () => {
    const meter = createMeter();
    const step = createIngestSteps();
    const [one, two] = [
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ];
    expect(step(meter.figures())).toEqual({ done: 0, total: 0 });
    meter.position(one, 10n, 110n);
    expect(step(meter.figures())).toEqual({ done: 0, total: 100 });
    meter.recordsFinished(one, 60, 1, 2);
    meter.position(one, 11n, 110n);
    meter.position(two, 0n, 7n);
    expect(step(meter.figures())).toEqual({ done: 63, total: 107 });
    meter.recordsFinished(two, 50, 0, 0);
    expect(step(meter.figures())).toEqual({ done: 113, total: 113 });
  });

  test('of publish counts blocks up to the one that was last at start', () => {
    const meter = createMeter();
    expect(publishStep(meter.figures(), 9)).toEqual({ done: 0, total: 10 });
    meter.blockPublished(4n, 1, 3);
    expect(publishStep(meter.figures(), 9)).toEqual({ done: 5, total: 10 });
    meter.blockPublished(12n, 1, 3);
    expect(publishStep(meter.figures(), 9)).toEqual({ done: 13, total: 13 });
  });
});
