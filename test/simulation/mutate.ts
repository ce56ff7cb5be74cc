/**
 * Loaded before the simulation (`node --import`): changes one file of the built product on its way
 * from the disk, as SHUTTLE_MUTATION names it. The files themselves stay what they are.
 */
import { readFileSync } from 'node:fs';
import Module, { register } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { MUTATIONS, type Mutation } from './mutations.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** @throws Error unless the text holds what is to be found exactly once */
export function mutated(text: string, { name, find, replace }: Mutation): string {
  const words = find.split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(words.join('\\s+'), 'g');
  const times = text.match(pattern)?.length ?? 0;
  if (times !== 1) {
    throw new Error(`the mutation "${name}" finds its place ${times} times, not once`);
  }
  return text.replace(pattern, () => replace);
}

function chosen(): Mutation {
  const found = MUTATIONS.find(({ name }) => name === process.env.SHUTTLE_MUTATION);
  if (found === undefined) {
    throw new Error(`there is no mutation "${process.env.SHUTTLE_MUTATION}"`);
  }
  return found;
}

interface Loaded {
  readonly format: string;
  readonly source: string;
  readonly shortCircuit?: boolean;
}

/** Node's hook for ES modules. */
export async function load(
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Promise<Loaded>,
): Promise<Loaded> {
  const mutation = chosen();
  const path = join(ROOT, mutation.file);
  if (url !== pathToFileURL(path).href || mutation.file.startsWith('chaincode')) {
    return await next(url, context);
  }
  const source = mutated(readFileSync(path, 'utf8'), mutation);
  return { format: 'module', source, shortCircuit: true };
}

interface CommonJs {
  _compile(source: string, path: string): void;
}

/** Node's way of loading CommonJS, as the chaincode is. */
const { _extensions: extensions } = Module as unknown as {
  readonly _extensions: { '.js': (module: CommonJs, path: string) => void };
};

if (isMainThread) {
  register(import.meta.url);
  const mutation = chosen();
  const original = extensions['.js'];
  extensions['.js'] = (module, path) => {
    if (path === join(ROOT, mutation.file)) {
      module._compile(mutated(readFileSync(path, 'utf8'), mutation), path);
    } else {
      original(module, path);
    }
  };
}
