/** The list of layers, and the house's rules that no linter knows. */
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { functionsOf, importsOf, type SourceFile, sourceFiles } from '../support/sources.ts';

const LINE_LENGTH_MAX = 100;
const FUNCTION_LINES_MAX = 70;

/** A file may import from lower layers and from its own folder. */
const LAYERS: Readonly<Record<string, number>> = {
  'values.ts': 0,
  'limits.ts': 0,
  'errors.ts': 0,
  'similar.ts': 0,
  clean: 1,
  batch: 1,
  block: 1,
  verify: 1,
  'ports.ts': 2,
  'outage.ts': 2.4,
  'patience.ts': 2.5,
  'pending.ts': 2.5,
  'back-pressure.ts': 2.5,
  ingest: 3,
  publish: 3,
  reconcile: 3,
  letters: 3,
  trace: 3,
  'read-model': 3,
  origin: 3,
  stage: 3,
  load: 3,
  consume: 3,
  chain: 3,
  kafka: 4,
  fabric: 4,
  sqlite: 4,
  config: 4,
  registry: 4,
  system: 4,
  http: 5,
  cli: 5,
  'assemble-connect.ts': 5.4,
  'assemble-status.ts': 5.5,
  'assemble-tools.ts': 5.5,
  'assemble-letters.ts': 5.5,
  'assemble-published.ts': 5.4,
  'assemble-consume.ts': 5.5,
  'assemble-index.ts': 5.5,
  'assemble-stage.ts': 5.5,
  'assemble-chain.ts': 5.5,
  'assemble.ts': 6,
  'index.ts': 7,
};

/** Pure folders that every folder of the same layer may use. */
const SHARED_IN_LAYER = ['block'];

/** Each library is known in one folder only, so that replacing it is the work of one folder. */
const LIBRARIES: Readonly<Record<string, string>> = {
  kafkajs: 'kafka',
  fzstd: 'kafka',
  lz4js: 'kafka',
  snappyjs: 'kafka',
  '@hyperledger/fabric-gateway': 'fabric',
  '@grpc/grpc-js': 'fabric',
  libsql: 'sqlite',
  zod: 'config',
  yaml: 'config',
  pino: 'system',
  'pino-pretty': 'system',
  'prom-client': 'system',
  fastify: 'http',
  commander: 'cli',
  'cli-progress': 'cli',
  ajv: 'clean',
  'csv-parse': 'clean',
  jsonata: 'clean',
  avsc: 'clean',
  luxon: 'clean',
  re2js: 'clean',
  saxes: 'clean',
  '@peculiar/asn1-schema': 'verify',
  '@peculiar/asn1-x509': 'verify',
};

/** What code on ports alone may have of Node: nothing that reaches outside the process. */
const PURE_MODULES = ['node:crypto', 'node:buffer', 'node:events', 'node:util'];
const FIRST_LAYER_WITH_IO = 4;

const bridge = sourceFiles('bridge/src');
const all = [
  ...bridge,
  ...['chaincode/src', 'network/src', 'examples/asset-contract/src'].flatMap(sourceFiles),
];

function partOf(path: string): string {
  return path.replace('bridge/src/', '').split('/')[0] ?? '';
}

function resolved(file: SourceFile, imported: string): string {
  return join(dirname(file.path), imported);
}

const relativeImports = (file: SourceFile) =>
  importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => resolved(file, name));

/** `kafkajs` of "kafkajs/src/x", `@grpc/grpc-js` of "@grpc/grpc-js/build". */
function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

describe('the bridge', () => {
  test('every file is in a known layer', () => {
    expect(bridge.length).toBeGreaterThan(20);
    expect(bridge.filter((file) => LAYERS[partOf(file.path)] === undefined)).toEqual([]);
  });

  test('a layer imports only lower layers', () => {
    const wrong = bridge.flatMap((file) => {
      const from = partOf(file.path);
      return relativeImports(file)
        .filter((path) => {
          const to = partOf(path);
          const [own = 0, other = 0] = [LAYERS[from], LAYERS[to]];
          const isShared = own === other && SHARED_IN_LAYER.includes(to);
          return from !== to && other >= own && !isShared;
        })
        .map((path) => `${file.path} imports ${path}`);
    });
    expect(wrong).toEqual([]);
  });

  test('only the entry point imports the composition root', () => {
    const importers = bridge.filter((file) =>
      relativeImports(file).includes('bridge/src/assemble.ts'),
    );
    expect(importers.map((file) => file.path).filter((path) => !path.endsWith('index.ts'))).toEqual(
      [],
    );
  });

  test('each library is imported in exactly one folder', () => {
    const wrong = bridge.flatMap((file) =>
      importsOf(file)
        .filter((name) => (LIBRARIES[packageOf(name)] ?? partOf(file.path)) !== partOf(file.path))
        .map((name) => `${file.path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
    const used = new Set(bridge.flatMap(importsOf).map(packageOf));
    expect(Object.keys(LIBRARIES).filter((name) => !used.has(name))).toEqual([]);
  });

  test('below the adapters nothing reaches outside the process', () => {
    const wrong = bridge
      .filter((file) => (LAYERS[partOf(file.path)] ?? 0) < FIRST_LAYER_WITH_IO)
      .flatMap((file) =>
        importsOf(file)
          .filter((name) => name.startsWith('node:') && !PURE_MODULES.includes(name))
          .map((name) => `${file.path} imports ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test('the bridge never imports the launcher, nor the launcher the bridge', () => {
    const wrong = all.flatMap((file) =>
      importsOf(file)
        .filter((name) =>
          file.path.startsWith('network')
            ? /bridge/.test(name)
            : /network\/src|@shuttle\/network/.test(name),
        )
        .map((name) => `${file.path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no file imports itself by way of others', () => {
    const graph = new Map(bridge.map((file) => [file.path, relativeImports(file)]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (path: string, above: readonly string[]): void => {
      if (above.includes(path)) {
        cycles.push([...above.slice(above.indexOf(path)), path].join(' -> '));
      }
      if (done.has(path) || above.includes(path)) {
        return;
      }
      for (const next of graph.get(path) ?? []) {
        walk(next, [...above, path]);
      }
      done.add(path);
    };
    for (const path of graph.keys()) {
      walk(path, []);
    }
    expect(cycles).toEqual([]);
  });
});

describe('every workspace', () => {
  test(`no line is longer than ${LINE_LENGTH_MAX} characters`, () => {
    const wrong = all.flatMap((file) =>
      file.text
        .split('\n')
        .map((line, index) => ({
          at: `${file.path}:${index + 1}`,
          length: Array.from(line).length,
        }))
        .filter(({ length }) => length > LINE_LENGTH_MAX)
        .map(({ at, length }) => `${at} has ${length}`),
    );
    expect(wrong).toEqual([]);
  });

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const functions = all.flatMap((file) =>
      functionsOf(file).map((found) => ({ ...found, at: `${file.path}:${found.line}` })),
    );
    expect(functions.length).toBeGreaterThan(200);
    const wrong = functions.filter(({ lines }) => lines > FUNCTION_LINES_MAX);
    expect(wrong.map(({ at, name, lines }) => `${at} ${name} has ${lines}`)).toEqual([]);
  });

  test('there are named exports only', () => {
    const wrong = all.filter((file) => /^export default\b/m.test(file.text));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });
});
