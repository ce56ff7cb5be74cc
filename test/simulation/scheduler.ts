/**
 * Virtual time. Everything that would take time on a real machine - a request, an answer, a sleep,
 * a block that is cut - is an event here, and nothing happens between two events.
 */
import type { Random } from './random.ts';

export interface Timer {
  cancel(): void;
}

interface Event {
  readonly atMs: number;
  /** Decides between events of one moment: the seed's choice, not the order of their making. */
  readonly tie: number;
  run: (() => void) | null;
}

export class Scheduler {
  nowMs = 0;
  /** Events that have happened. */
  happened = 0;
  private readonly random: Random;
  private readonly heap: Event[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  after(delayMs: number, run: () => void): Timer {
    const event: Event = { atMs: this.nowMs + delayMs, tie: this.random.next(), run };
    this.push(event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets events happen until `isOver` says so; false when the limit or the last event came first. */
  async run(isOver: () => boolean, limitMs: number): Promise<boolean> {
    await settled();
    while (!isOver()) {
      const event = (this.heap[0]?.atMs ?? Number.POSITIVE_INFINITY) > limitMs ? null : this.pop();
      if (event === null) {
        return false;
      }
      if (event.run !== null) {
        this.nowMs = Math.max(this.nowMs, event.atMs);
        this.happened += 1;
        event.run();
        await settled();
      }
    }
    return true;
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent], event)) {
        break;
      }
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event | null {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) {
      return null;
    }
    if (heap.length > 0) {
      this.sink(last);
    }
    return first;
  }

  private sink(event: Event): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (child >= heap.length || isBefore(event, heap[child])) {
        break;
      }
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) {
    return a !== undefined;
  }
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
}

/** Resolves when everything that the last event set off has come to rest: no promise is ready. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
