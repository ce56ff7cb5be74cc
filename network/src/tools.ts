import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NetworkError } from './errors.ts';
import { exists } from './files.ts';
import { withLock } from './lock.ts';
import type { Progress } from './progress.ts';
import { requireAll } from './requirements.ts';
import { cleanEnvironment, lastLines, run } from './run.ts';

/** The built commands and fetched jars that run a network. */
export interface Tools {
  /** Folder with bin/ (peer, orderer, ...) and sampleconfig/. */
  readonly fabric: string;
  /** Folder with Kafka's jars. */
  readonly kafka: string;
}

/** Fabric's commands that are built. */
export type FabricCommand =
  | 'peer'
  | 'orderer'
  | 'cryptogen'
  | 'configtxgen'
  | 'configtxlator'
  | 'osnadmin';

const FABRIC_MODULE = 'github.com/hyperledger/fabric';
/** What the tagged commit in go.mod is called. */
export const FABRIC_VERSION = '3.1.1';
/** The version in pom.xml. */
export const KAFKA_VERSION = '4.1.0';

const FABRIC_SOURCE = fileURLToPath(new URL('../fabric', import.meta.url));
const KAFKA_SOURCE = fileURLToPath(new URL('../kafka', import.meta.url));
const BUILD_LOCK_MS = 30 * 60_000;

/** The per-user folder of built tools: $XDG_CACHE_HOME/shuttle, else ~/.cache/shuttle. */
export function cacheRoot(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'shuttle');
}

/** Path of one of Fabric's commands. */
export function fabricCommand(tools: Tools, name: FabricCommand): string {
  return join(tools.fabric, 'bin', name);
}

/**
 * Builds Fabric's commands and fetches Kafka unless the cache has them. Each folder's name holds
 * the
 * hash of what pins its content, and a folder appears only when it is complete.
 *
 * @throws NetworkError REQUIREMENT_MISSING, TOOLS_FAILED, CHECKSUM_MISMATCH.
 */
export async function ensureTools(progress: Progress): Promise<Tools> {
  await requireAll(['node', 'go', 'jdk']);
  const [fabric, kafka] = await Promise.all([fabricFolder(), kafkaFolder()]);
  if (!(await exists(kafka))) await requireAll(['maven']);
  await ensureFolder(kafka, progress, `Fetching Kafka ${KAFKA_VERSION}`, fetchKafka);
  await ensureFolder(fabric, progress, `Building Fabric ${FABRIC_VERSION}`, buildFabric);
  return { fabric, kafka };
}

async function fabricFolder(): Promise<string> {
  const version = await go(['env', 'GOVERSION', 'GOOS', 'GOARCH']);
  const files = await readAll(FABRIC_SOURCE, ['go.mod', 'go.sum']);
  return join(cacheRoot(), `fabric-${shortHash([version, ...files])}`);
}

async function kafkaFolder(): Promise<string> {
  const files = await readAll(KAFKA_SOURCE, ['pom.xml', 'jars.sha256']);
  return join(cacheRoot(), `kafka-${shortHash(files)}`);
}

function readAll(folder: string, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
}

function shortHash(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}\n`).update(text);
  return hash.digest('hex').slice(0, 16);
}

async function ensureFolder(
  folder: string,
  progress: Progress,
  sentence: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  if (await exists(folder)) return;
  const lock = {
    what: `The cache ${cacheRoot()}`,
    deadlineMs: BUILD_LOCK_MS,
    onWait: (pid: number) => progress.step(`Waiting for process ${pid}, which builds the same.`),
  };
  await withLock(`${folder}.lock`, lock, async () => {
    if (await exists(folder)) return;
    await removeLeftovers(folder);
    const task = progress.long(sentence);
    const temporary = await mkdtemp(`${folder}.tmp-`);
    try {
      await fill(temporary);
      await rename(temporary, folder);
    } finally {
      await rm(temporary, { recursive: true, force: true });
      task.end();
    }
  });
}

/** What a killed build left; under the lock nobody else is building this. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.tmp-`;
  for (const name of await readdir(dirname(folder))) {
    if (name.startsWith(prefix)) await rm(join(dirname(folder), name), { recursive: true });
  }
}

async function buildFabric(folder: string): Promise<void> {
  const bin = join(folder, 'bin');
  const version = `-X ${FABRIC_MODULE}/common/metadata.Version=v${FABRIC_VERSION}`;
  await go(['install', '-ldflags', version, 'tool'], { GOBIN: bin });
  const module = (await go(['list', '-m', '-f', '{{.Dir}}', FABRIC_MODULE])).trim();
  const samples = join(folder, 'sampleconfig');
  await mkdir(samples);
  for (const name of ['core.yaml', 'orderer.yaml']) {
    await copyFile(join(module, 'sampleconfig', name), join(samples, name));
  }
}

/**
 * Runs go in the folder of the pinned module; GO* settings of the user (proxies above all) hold.
 */
async function go(args: readonly string[], extra: Record<string, string> = {}): Promise<string> {
  const env = cleanEnvironment({ ...passOn(/^(GO|XDG_|CC$|.*_proxy$)/i), ...extra });
  const result = await run('go', args, { cwd: FABRIC_SOURCE, env });
  if (result.exitCode !== 0) throw toolFailed(`go ${args[0]}`, result.stderr);
  return result.stdout;
}

async function fetchKafka(folder: string): Promise<void> {
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
  // -C: a jar whose checksum is not the repository's fails here; the list below pins the content.
  const args = ['-B', '-ntp', '-C', '-f', join(KAFKA_SOURCE, 'pom.xml'), goal];
  const options = ['-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  const env = cleanEnvironment(passOn(/^(MAVEN_|MVN|.*_proxy$)/i));
  const result = await run('mvn', [...args, ...options], { env });
  if (result.exitCode !== 0) throw toolFailed('mvn', `${result.stdout}${result.stderr}`);
  await verifyJars(folder, await readFile(join(KAFKA_SOURCE, 'jars.sha256'), 'utf8'));
}

/**
 * Compares a folder with a list in the form of sha256sum: the same files, the same bytes.
 *
 * @throws NetworkError CHECKSUM_MISMATCH that names what differs.
 */
export async function verifyJars(folder: string, list: string): Promise<void> {
  const wanted = new Map(
    lastLines(list, Number.MAX_SAFE_INTEGER).map((line) => {
      const [sum = '', name = ''] = line.split(/\s+\*?/);
      return [name, sum] as const;
    }),
  );
  const found = await readdir(folder);
  const strange = found.filter((name) => !wanted.has(name));
  const wrong: string[] = [];
  for (const [name, sum] of wanted) {
    const actual = found.includes(name) ? await sha256(join(folder, name)) : undefined;
    if (actual !== sum) wrong.push(name);
  }
  if (strange.length + wrong.length === 0) return;
  const names = [...strange, ...wrong].join(', ');
  throw new NetworkError('CHECKSUM_MISMATCH', `These files are not what was pinned: ${names}.`);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function passOn(pattern: RegExp): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => pattern.test(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']));
}

function toolFailed(command: string, output: string): NetworkError {
  return new NetworkError('TOOLS_FAILED', `\`${command}\` failed.`, {
    lines: lastLines(output, 12),
  });
}
