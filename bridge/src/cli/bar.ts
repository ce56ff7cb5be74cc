/** A bar on a terminal: decoration, which never ends the process. */
import cliProgress from 'cli-progress';
import type { Output } from './io.ts';

/** What a bar's format names beside cli-progress's own. */
export type BarTexts = Readonly<Record<string, string>>;

export interface Bar {
  show(done: number, total: number, texts?: BarTexts): void;
  stop(): void;
}

/** @param texts - what the format's own names stand for until the first `show` */
export function startBar(output: Output, format: string, texts: BarTexts = {}): Bar {
  const bar = new cliProgress.SingleBar(
    {
      format,
      stream: output as unknown as NodeJS.WritableStream,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 30,
      // The process's own signal handling stops in order; the bar must not exit before it.
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(1, 0, texts);
  return {
    show: (done, total, now = {}) => {
      bar.setTotal(Math.max(1, total));
      bar.update(done, now);
    },
    stop: () => bar.stop(),
  };
}
