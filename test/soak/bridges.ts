/** The bridges of a soak: the one that lives through all of it, and the one that is killed. */
import { type Ended, type Running, type Settings, startShuttle } from '../support/cli.ts';
import { eventually } from '../support/records.ts';
import { type Life, takeSample } from './samples.ts';

const ADDRESS = /Health and metrics at (\S+)/;

/** A bridge that is started again after each of its ends. */
export class Bridge {
  readonly name: string;
  readonly lives: Life[] = [];
  private readonly command: string;
  private readonly settings: Settings;
  private readonly dir: string;
  private running: Running | null = null;

  constructor(name: string, command: string, settings: Settings, dir: string) {
    this.name = name;
    this.command = command;
    this.settings = { ...settings, SHUTTLE_HTTP__PORT: '0' };
    this.dir = dir;
  }

  start(): void {
    this.running = startShuttle([this.command], this.settings, this.dir);
    this.lives.push({ bridge: this.name, startedMs: Date.now(), samples: [] });
  }

  get current(): Running {
    if (this.running === null) {
      throw new Error(`${this.name} was not started.`);
    }
    return this.running;
  }

  /** Resolves when it is ready. */
  async ready(): Promise<void> {
    await eventually(`${this.name} to be ready`, async () => {
      const [, address] = ADDRESS.exec(this.current.log()) ?? [];
      return address !== undefined && (await fetch(`${address}/readyz`)).status === 200;
    });
  }

  async sample(): Promise<void> {
    const { current } = this;
    const { pid } = current.process;
    const [, address] = ADDRESS.exec(current.log()) ?? [];
    const life = this.lives.at(-1);
    const known = pid !== undefined && address !== undefined;
    const taken = known ? await takeSample(pid, address) : null;
    if (taken !== null) {
      life?.samples.push(taken);
    }
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Ended> {
    this.current.process.kill(signal);
    return await this.current.ended;
  }

  count(message: string): number {
    return this.current.log().split(`"${message}"`).length - 1;
  }
}
