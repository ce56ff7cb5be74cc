/** The bar of a command that goes through blocks: how far it is, and at what pace. */
import { startBar } from './bar.ts';
import type { Session } from './session.ts';
import { grouped } from './text.ts';

export interface BlocksBar {
  /** @param done - of `total`, in whatever the source counts */
  readonly onProgress: (blocks: number, done: number, total: number) => void;
  stop(): void;
}

/** Shows nothing with --json, or where nobody looks. */
export function startBlocksBar({ io, json, shuttle }: Session, name: string): BlocksBar {
  const { clock } = shuttle();
  const startedMs = clock.now();
  const format = `${name.padEnd(8)}{bar} {percentage}%  {shown} blocks  {rate}/s`;
  const bar =
    json || !io.stderr.isTTY ? null : startBar(io.stderr, format, { shown: '0', rate: '0' });
  return {
    onProgress: (blocks, done, total) => {
      const rate = Math.round((blocks / Math.max(1, clock.now() - startedMs)) * 1_000);
      bar?.show(done, total, { shown: grouped(blocks), rate: grouped(rate) });
    },
    stop: () => bar?.stop(),
  };
}
