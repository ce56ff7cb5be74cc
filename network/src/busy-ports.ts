import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { NetworkError } from './errors.ts';
import { describeProcess } from './process-identity.ts';

/** A port and who wants it. */
export interface WantedPort {
  readonly port: number;
  readonly use: string;
}

/**
 * Makes sure that every port is free, before anything is started.
 *
 * @throws NetworkError PORT_BUSY that names port, use and, where knowable, the process that has it.
 */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const free = await Promise.all(wanted.map((each) => isFree(each.port)));
  const busy = wanted.filter((_, index) => free[index] === false);
  if (busy.length === 0) return;
  const sentences = busy.map(({ port, use }) => {
    const owner = listenerOf(port) ?? 'a process that cannot be named';
    return `Port ${port}, wanted by ${use}, is taken by ${owner}.`;
  });
  throw new NetworkError('PORT_BUSY', sentences.join(' '));
}

/**
 * True if something could listen on this port of the loopback interface now. It tries to, so a
 * process that wants the port just then ends: for one that starts, ask `isListening`.
 */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/** True if a process accepts connections on this port of the loopback interface. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The process that listens on a port, as "process 123 (command)"; only Linux shows it. */
function listenerOf(port: number): string | undefined {
  const inodes = new Set([...listeningInodes('tcp', port), ...listeningInodes('tcp6', port)]);
  if (inodes.size === 0) return undefined;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !ownsSocket(entry, inodes)) continue;
    return `process ${entry} (${describeProcess(Number(entry)) ?? 'unknown command'})`;
  }
  return undefined;
}

function listeningInodes(table: 'tcp' | 'tcp6', port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  try {
    const rows = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1);
    return rows.flatMap((row) => {
      const fields = row.trim().split(/\s+/);
      const listens = fields[1]?.endsWith(`:${hex}`) === true && fields[3] === '0A';
      return listens && fields[9] !== undefined ? [fields[9]] : [];
    });
  } catch {
    return [];
  }
}

function ownsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      const target = linkOf(`/proc/${pid}/fd/${descriptor}`);
      return target.startsWith('socket:[') && inodes.has(target.slice(8, -1));
    });
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
