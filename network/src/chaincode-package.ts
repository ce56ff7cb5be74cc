import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { create } from 'tar';
import { NetworkError } from './errors.ts';
import { exists } from './files.ts';
import { shimCommand } from './specs.ts';

/** What `deploy` and `package` are told about a chaincode. */
export interface ChaincodeOptions {
  /** Folder with package.json and the built chaincode. */
  readonly folder: string;
  readonly name: string;
  /** Default: the version in its package.json. */
  readonly version?: string;
  /** Default: name_version. */
  readonly label?: string;
  /**
   * A signature policy, for example `OR('Org1MSP.peer','Org2MSP.peer')`; default: the channel's.
   */
  readonly policy?: string;
  /** Default: the next one when something changed. */
  readonly sequence?: number;
}

/** A chaincode that was looked at: complete, with a digest of its content. */
export interface ChaincodeSource {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly label: string;
  readonly policy: string | undefined;
  /** What was said about it, as opposed to taken from its package.json. */
  readonly given: Pick<ChaincodeOptions, 'version' | 'label' | 'policy'>;
  /** SHA-256 over the names and bytes of what it runs from. */
  readonly digest: string;
}

const NAME = /^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$/;
const LABEL = /^[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*$/;
const SKIPPED = new Set(['node_modules', 'coverage', 'src', 'test', 'tests']);

/**
 * Looks at a chaincode's folder and fills in what was not given.
 *
 * @throws NetworkError CHAINCODE_INVALID when it is missing, not built, or badly named.
 */
export async function inspectChaincode(options: ChaincodeOptions): Promise<ChaincodeSource> {
  const folder = resolve(options.folder);
  const manifest = await readManifest(folder);
  const version = options.version ?? manifest.version ?? '1.0';
  const label = options.label ?? `${options.name}_${version}`;
  const invalid = (sentence: string, help?: string): NetworkError =>
    new NetworkError('CHAINCODE_INVALID', sentence, {
      at: folder,
      ...(help === undefined ? {} : { help }),
    });
  if (!NAME.test(options.name)) {
    throw invalid(`"${options.name}" cannot be the name of a chaincode.`);
  }
  if (!LABEL.test(label)) throw invalid(`"${label}" cannot be the label of a package.`);
  const entry = manifest.main ?? 'index.js';
  if (!(await exists(join(folder, entry)))) {
    throw invalid(`The chaincode is not built: ${entry} is missing.`, 'Run `npm run build` first.');
  }
  shimCommand(folder);
  const digest = await digestOf(folder);
  const { name, policy } = options;
  return { folder, name, version, label, policy, given: givenOf(options), digest };
}

function givenOf({ version, label, policy }: ChaincodeOptions): ChaincodeSource['given'] {
  return {
    ...(version === undefined ? {} : { version }),
    ...(label === undefined ? {} : { label }),
    ...(policy === undefined ? {} : { policy }),
  };
}

async function readManifest(folder: string): Promise<{ version?: string; main?: string }> {
  try {
    return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version?: string };
  } catch (cause) {
    throw new NetworkError('CHAINCODE_INVALID', 'There is no chaincode with a package.json.', {
      at: folder,
      cause,
    });
  }
}

/**
 * Hashes what the chaincode runs from: package.json, META-INF and dist, or all its files without a
 * dist.
 */
async function digestOf(folder: string): Promise<string> {
  const files = (await exists(join(folder, 'dist')))
    ? ['package.json', ...(await under(folder, 'dist')), ...(await under(folder, 'META-INF'))]
    : await under(folder, '.');
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    const bytes = await readFile(join(folder, file));
    hash.update(`${file.split(sep).join('/')}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

async function under(folder: string, start: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue;
      const full = join(path, entry.name);
      if (entry.isDirectory()) await visit(full);
      // Maps and build records differ between equal programs.
      else if (!/\.(map|tsbuildinfo|d\.ts)$/.test(entry.name)) found.push(relative(folder, full));
    }
  };
  await visit(join(folder, start));
  return found;
}

/**
 * Writes a chaincode-as-a-service package. Equal input gives equal bytes, so that the package id
 * changes exactly when content, definition or address do.
 *
 * @param address - host:port on which the peer will find the chaincode.
 * @returns the package id: label and SHA-256.
 */
export async function writePackage(
  source: ChaincodeSource,
  address: string,
  file: string,
): Promise<string> {
  await mkdir(join(file, '..'), { recursive: true });
  const work = await mkdtemp(`${file}.tmp-`);
  try {
    await writeCode(source, address, work);
    const metadata = { type: 'ccaas', label: source.label };
    await writeFile(join(work, 'metadata.json'), `${JSON.stringify(metadata)}\n`);
    const archive = join(work, 'package.tar.gz');
    await tarball(archive, work, ['metadata.json', 'code.tar.gz']);
    const hash = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    await rename(archive, file);
    return `${source.label}:${hash}`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeCode(source: ChaincodeSource, address: string, work: string): Promise<void> {
  const code = join(work, 'code');
  await mkdir(code);
  const connection = { address, dial_timeout: '10s', tls_required: false };
  await writeFile(join(code, 'connection.json'), `${JSON.stringify(connection)}\n`);
  // The peer ignores this file; it ties the package id to the program and its definition.
  const { name, version, policy, digest } = source;
  const content = { name, version, policy: policy ?? null, digest };
  await writeFile(join(code, 'chaincode.json'), `${JSON.stringify(content)}\n`);
  const indexes = join(source.folder, 'META-INF');
  const hasIndexes = await exists(indexes);
  if (hasIndexes) await cp(indexes, join(code, 'META-INF'), { recursive: true });
  const names = ['connection.json', 'chaincode.json', ...(hasIndexes ? ['META-INF'] : [])];
  await tarball(join(work, 'code.tar.gz'), code, names);
}

/** Without owners, times and compression (whose bytes vary with zlib's version), bytes repeat. */
async function tarball(file: string, cwd: string, names: string[]): Promise<void> {
  await create({ file, cwd, gzip: { level: 0 }, portable: true, mtime: new Date(0) }, names);
}
