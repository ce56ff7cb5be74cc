/** Whether the service can do its work now: the meter's figures, and a question to each side. */
import type { Side, Wait } from '../outage.ts';
import type { Clock, Meter } from '../ports.ts';
import { partitionName } from '../values.ts';
import type { Figures } from './meter.ts';

export interface ReadinessOptions {
  readonly figures: () => Figures;
  /** Whom the pipelines wait for, although they may answer. */
  readonly waits: () => readonly Wait[];
  readonly meter: Pick<Meter, 'reachable'>;
  readonly clock: Clock;
  /** Asks a side whether it answers; rejects when it does not. */
  readonly ask: Readonly<Partial<Record<Side, () => Promise<unknown>>>>;
}

/** An answer is good for so long, so that a scraper cannot load the far sides. */
const FRESH_MS = 5_000;
/** A side that takes longer counts as unreachable. */
const PATIENCE_MS = 3_000;

/** @returns a function that tells why the service is not ready; an empty list when it is */
export function createReadiness(options: ReadinessOptions): () => Promise<readonly string[]> {
  const { clock, meter } = options;
  let askedMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<readonly Side[]> | null = null;
  const askAll = async () => {
    const sides = ['kafka', 'fabric'] as const;
    const answers = await Promise.all(
      sides.map(async (side) => {
        const ask = options.ask[side];
        if (ask === undefined) {
          return [];
        }
        const answered = await isAnswered(ask, clock);
        meter.reachable(side, answered && !options.waits().some((wait) => wait.side === side));
        return answered ? [] : [side];
      }),
    );
    return answers.flat();
  };
  return async () => {
    if (asking === null || clock.now() - askedMs > FRESH_MS) {
      askedMs = clock.now();
      asking = askAll();
    }
    const silent = await asking;
    return [
      ...silent.map((side) => `${side} is unreachable`),
      // A peer answers while it cannot order, and a broker while it cannot write.
      ...options
        .waits()
        .filter(({ side }) => !silent.includes(side))
        .map(({ side, code }) => `${side} is waited for: ${code}`),
      ...stops(options.figures()),
    ];
  };
}

function stops({ stops: stopped }: Figures): string[] {
  return stopped.map((stop) => `${partitionName(stop)} has stopped with ${stop.code}`);
}

async function isAnswered(ask: () => Promise<unknown>, clock: Clock): Promise<boolean> {
  const late = new AbortController();
  const answered = ask().then(
    () => true,
    () => false,
  );
  const waited = clock.sleep(PATIENCE_MS, late.signal).then(() => false);
  try {
    return await Promise.race([answered, waited]);
  } finally {
    late.abort();
  }
}
