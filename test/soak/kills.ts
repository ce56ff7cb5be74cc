/** What is killed during a soak, when, and for how long: all by seed. */
import type { World } from '../support/e2e-world.ts';
import type { Bridge } from './bridges.ts';

/** Between the end of one kill and the next. */
const REST_MS = { least: 8_000, most: 30_000 };
/** How long something stays away. */
const AWAY_MS = { least: 0, most: 10_000 };

const PROCESSES = [
  'chaincode-shuttle-org1',
  'chaincode-shuttle-org2',
  'peer0.org1',
  'peer0.org2',
  'orderer',
  'orderer2',
  'orderer3',
];
/** Half of all kills are the bridge's. */
const VICTIMS = [...PROCESSES, ...PROCESSES.map(() => 'bridge')];

export interface Kill {
  readonly atSeconds: number;
  readonly victim: string;
  readonly signal: string;
  readonly awaySeconds: number;
}

export interface KillOptions {
  readonly world: World;
  /** The bridge that may be killed. */
  readonly bridge: Bridge;
  readonly random: () => number;
  /** Aborts when nothing more is to be killed. */
  readonly signal: AbortSignal;
  readonly tell: (kill: Kill) => void;
}

/** Kills one after another until the signal; then everything runs again. */
export async function killAtRandom(options: KillOptions): Promise<readonly Kill[]> {
  const { world, bridge, random, signal, tell } = options;
  const between = ({ least, most }: typeof REST_MS): number => least + random() * (most - least);
  const startedMs = Date.now();
  const kills: Kill[] = [];
  for (;;) {
    await sleep(between(REST_MS), signal);
    // Everything is drawn each time, so that a seed means the same whatever was killed before.
    const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] ?? 'bridge';
    const how = random() < 0.75 ? 'SIGKILL' : 'SIGTERM';
    const awayMs = between(AWAY_MS);
    if (signal.aborted) {
      return kills;
    }
    const kill: Kill = {
      atSeconds: Math.round((Date.now() - startedMs) / 1_000),
      victim,
      signal: how,
      awaySeconds: Math.round(awayMs / 100) / 10,
    };
    tell(kill);
    kills.push(kill);
    if (victim === 'bridge') {
      const { code, stderr } = await bridge.end(how);
      if (how === 'SIGTERM' && code !== 0) {
        throw new Error(`The bridge ended with ${code}:\n${stderr.slice(-2_000)}`);
      }
      await sleep(awayMs, signal);
      bridge.start();
    } else {
      await world.network.kill(victim, how);
      await sleep(awayMs, signal);
      await world.network.start(victim);
    }
  }
}

/** Ends early with the signal. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    return;
  }
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
