/** What a bridge uses of the machine, all along its life, and whether that stays flat. */
import { readdir, readFile } from 'node:fs/promises';

export interface Sample {
  readonly atMs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly handles: number;
}

/** One life of one bridge, from its start to its end. */
export interface Life {
  readonly bridge: string;
  readonly startedMs: number;
  readonly samples: Sample[];
}

const KINDS = ['rssBytes', 'heapBytes', 'handles'] as const;
type Kind = (typeof KINDS)[number];

/** Shorter lives end before they are warm. */
const JUDGED_MS = 5 * 60_000;
/** The first fifth of a life, in which pools and code fill the memory, is not looked at. */
const WARM_UP_SHARE = 0.2;
/** So much more at the end than at the beginning passes for flat. */
const SHARE_MAX = 1.25;
const SLACK: Readonly<Record<Kind, number>> = {
  rssBytes: 32 * 1024 * 1024,
  heapBytes: 16 * 1024 * 1024,
  handles: 8,
};

export interface Verdict {
  readonly bridge: string;
  readonly minutes: number;
  readonly samples: number;
  /** Median of the first and of the last third behind the warm-up, and the highest of all. */
  readonly figures: Readonly<Record<Kind, { first: number; last: number; most: number }>>;
  readonly findings: readonly string[];
}

/** Null when the process or its page is gone just now. */
export async function takeSample(pid: number, metricsAddress: string): Promise<Sample | null> {
  try {
    const [status, handles, page] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
      fetch(`${metricsAddress}/metrics`).then((answer) => answer.text()),
    ]);
    const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    const heap = Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(page)?.[1]);
    const known = Number.isFinite(rss) && Number.isFinite(heap);
    return known
      ? { atMs: Date.now(), rssBytes: rss, heapBytes: heap, handles: handles.length }
      : null;
  } catch {
    return null;
  }
}

/** A life is flat when the medians of its last third are not above those of its first third. */
export function judge({ bridge, startedMs, samples }: Life): Verdict | null {
  const lengthMs = (samples.at(-1)?.atMs ?? startedMs) - startedMs;
  if (lengthMs < JUDGED_MS) {
    return null;
  }
  const warm = samples.filter(({ atMs }) => atMs - startedMs >= WARM_UP_SHARE * lengthMs);
  const third = Math.floor(warm.length / 3);
  const figures = Object.fromEntries(
    KINDS.map((kind) => [
      kind,
      {
        first: median(warm.slice(0, third).map((sample) => sample[kind])),
        last: median(warm.slice(-third).map((sample) => sample[kind])),
        most: Math.max(...samples.map((sample) => sample[kind])),
      },
    ]),
  ) as Verdict['figures'];
  const findings = KINDS.flatMap((kind) => {
    const { first, last } = figures[kind];
    const grown = last > first * SHARE_MAX && last > first + SLACK[kind];
    return grown ? [`${kind} of ${bridge} grew from ${first} to ${last}`] : [];
  });
  const minutes = Math.round(lengthMs / 6_000) / 10;
  return { bridge, minutes, samples: samples.length, figures, findings };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
