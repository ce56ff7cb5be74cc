/** A bar on a terminal, fed from the meter's figures. */
import type { Figures } from '../system/meter.ts';
import { partitionName } from '../values.ts';
import { startBar } from './bar.ts';
import type { Output } from './io.ts';
import type { Shuttle } from './shuttle.ts';
import { grouped } from './text.ts';

const REFRESH_MS = 200;

export interface Progress {
  stop(): void;
}

/** What the bar shows. */
export interface Step {
  readonly done: number;
  readonly total: number;
}

/**
 * The total is what each partition lacked when it was first seen: the lag as it is now falls only
 * when the slowest lane goes on, while the others have done much already.
 */
export function createIngestSteps(): (figures: Figures) => Step {
  const lacked = new Map<string, number>();
  return ({ applied, rejected, repeated, cleaned, refused, partitions }) => {
    for (const partition of partitions) {
      const name = partitionName(partition);
      lacked.set(name, lacked.get(name) ?? Number(partition.lag));
    }
    const done = applied + rejected + repeated + cleaned + refused;
    const total = [...lacked.values()].reduce((sum, lag) => sum + lag, 0);
    return { done, total: Math.max(done, total) };
  };
}

export function publishStep(figures: Figures, lastBlock: number): Step {
  const done = figures.lastBlock === null ? 0 : Number(figures.lastBlock) + 1;
  return { done, total: Math.max(done, lastBlock + 1) };
}

/** Draws until stopped. */
export async function showProgress(
  output: Output,
  shuttle: Shuttle,
  pipeline: 'clean' | 'ingest' | 'publish',
): Promise<Progress> {
  const lastBlock = pipeline === 'publish' ? await lastBlockOf(shuttle) : 0;
  const ingestStep = createIngestSteps();
  const step = () =>
    pipeline === 'publish'
      ? publishStep(shuttle.figures(), lastBlock)
      : ingestStep(shuttle.figures());
  const unit = pipeline === 'publish' ? 'blocks' : 'records';
  const format = `${pipeline.padEnd(7)} {bar} {percentage}%  {shown} ${unit}  {rate}/s`;
  const bar = startBar(output, format, { shown: '', rate: '0' });
  const startedMs = shuttle.clock.now();
  const first = step().done;
  const draw = () => {
    const { done, total } = step();
    const seconds = Math.max(0.001, (shuttle.clock.now() - startedMs) / 1_000);
    bar.show(done, total, {
      shown: `${grouped(done)}/${grouped(total)}`,
      rate: grouped(Math.round((done - first) / seconds)),
    });
  };
  const timer = setInterval(draw, REFRESH_MS);
  return {
    stop: () => {
      clearInterval(timer);
      draw();
      bar.stop();
    },
  };
}

/** The bar is decoration: without an answer it starts at what is known. */
async function lastBlockOf(shuttle: Shuttle): Promise<number> {
  try {
    return Number((await (await shuttle.ledger()).height()) - 1n);
  } catch {
    return 0;
  }
}
