/**
 * One process of the bridge, as the rest of the world sees it: it sends requests, gets answers or
 * does not, sleeps, and can be frozen or killed at any of these moments.
 */
import { ShuttleError } from '@shuttle/bridge/dist/errors.js';
import type { Clock } from '@shuttle/bridge/dist/ports.js';
import type { Figures } from '@shuttle/bridge/dist/system/meter.js';
import { createReadiness } from '@shuttle/bridge/dist/system/readiness.js';
import type { Network, Side } from './network.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { Story } from './story.ts';

/** 2023-11-14, so that timestamps look like timestamps. */
const EPOCH_MS = 1_700_000_000_000;

export interface Call<T> {
  readonly side: Side;
  readonly name: string;
  /** What the far side does when the request arrives; it does so whatever becomes of the caller. */
  readonly effect: () => T | Promise<T>;
  readonly timeoutMs: number;
  /** What the caller is told when no answer came in time. */
  readonly lost: () => Error;
  /** What it is told when nobody is there: the request was never sent. */
  readonly away?: () => Error;
}

/** Where a life ends: at its so-many-th call, before the request is sent or when it has arrived. */
export interface Death {
  readonly call: number;
  readonly when: 'before' | 'after';
}

export interface HostDeps {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly story: Story;
  readonly random: Random;
}

export class Host {
  readonly name: string;
  readonly clock: Clock;
  readonly deps: HostDeps;
  alive = true;
  /** Why the process is not ready; an empty list when it is. */
  readonly ready: () => Promise<readonly string[]>;
  /** Settles when the process is killed. */
  readonly died: Promise<void>;
  private readonly death: Death | null;
  private calls = 0;
  private frozen = false;
  private backlog: (() => void)[] = [];
  private bury: () => void = () => undefined;

  constructor(name: string, deps: HostDeps, death: Death | null) {
    this.name = name;
    this.deps = deps;
    this.death = death;
    this.died = new Promise((resolve) => {
      this.bury = resolve;
    });
    this.clock = {
      now: () => EPOCH_MS + Math.floor(deps.scheduler.nowMs),
      sleep: (ms, signal) => this.sleep(ms, signal),
      random: () => deps.random.next(),
    };
    this.ready = createReadiness({
      figures: () => ({ stops: [] }) as unknown as Figures,
      waits: () => [],
      meter: { reachable: () => undefined },
      clock: this.clock,
      ask: { kafka: () => this.ping('kafka'), fabric: () => this.ping('fabric') },
    });
  }

  /** kill -9: what was sent may still arrive, nothing is ever heard again. */
  kill(why: string): void {
    if (this.alive) {
      this.alive = false;
      this.backlog = [];
      this.deps.network.happened('crash');
      this.deps.story.tell(this.name, () => `is killed ${why}`);
      this.bury();
    }
  }

  /** SIGSTOP: the world goes on, the process notices later, all at once. */
  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
    for (const run of this.backlog.splice(0)) {
      this.deps.scheduler.after(0, () => this.deliver(run));
    }
  }

  /** Lets the process notice something, now or when it is thawed. */
  deliver(run: () => void): void {
    if (this.frozen && this.alive) {
      this.backlog.push(run);
    } else if (this.alive) {
      run();
    }
  }

  /** A request over the network: it, or its answer, may be lost, late, or meet nobody. */
  call<T>(call: Call<T>): Promise<T> {
    const { network, scheduler } = this.deps;
    if (!this.alive) {
      return never();
    }
    this.calls += 1;
    const dies = network.faulty && this.death?.call === this.calls ? this.death.when : null;
    if (dies === 'before') {
      this.kill(`before ${call.name}`);
      return never();
    }
    const way = network.way(this.name, call.side, call.name);
    return new Promise<T>((resolve, reject) => {
      let settled = false;
      const settle = (afterMs: number, answer: () => void): void => {
        scheduler.after(afterMs, () => {
          if (!settled) {
            settled = true;
            deadline.cancel();
            this.deliver(answer);
          }
        });
      };
      const deadline = scheduler.after(call.timeoutMs, () => settle(0, () => reject(call.lost())));
      if (way.lost === 'request') {
        return;
      }
      scheduler.after(way.requestMs, () => {
        if (network.isDown(call.side)) {
          settle(way.answerMs, () => reject(call.away?.() ?? unreachable(call.side)));
          return;
        }
        void perform(call.effect).then((outcome) => {
          if (dies === 'after') {
            this.kill(`after ${call.name}`);
          }
          if (way.lost === null) {
            settle(way.answerMs, () =>
              outcome.ok ? resolve(outcome.value) : reject(outcome.error),
            );
          }
        });
      });
    });
  }

  private ping(side: Side): Promise<void> {
    const lost = (): Error => new Error('silence');
    return this.call({ side, name: 'ping', effect: () => undefined, timeoutMs: 5_000, lost });
  }

  private sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.alive) {
      return never();
    }
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.deps.scheduler.after(Math.max(0, ms), () => this.deliver(end));
      signal?.addEventListener('abort', end, { once: true });
    });
  }
}

type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

async function perform<T>(effect: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await effect() };
  } catch (error) {
    return { ok: false, error };
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

/** The connection is refused: nothing has happened on the far side. */
function unreachable(side: Side): ShuttleError {
  return side === 'kafka'
    ? new ShuttleError('KAFKA_UNREACHABLE', 'No broker answers.')
    : new ShuttleError('FABRIC_UNREACHABLE', 'The peer does not answer.');
}
