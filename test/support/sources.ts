/** Reads the sources as text and as syntax trees, for tests that enforce the house's rules. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from '@swc/core';

export const ROOT = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface SourceFunction {
  readonly name: string;
  readonly line: number;
  /** Lines of its own: those inside the functions that it holds count for them. */
  readonly lines: number;
}

/** All TypeScript sources below a folder, in order of their paths. */
export function sourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(ROOT, folder, name))
    .sort()
    .map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }));
}

const known = new Map<string, readonly string[]>();

/** What a file imports or re-exports from, types included. */
export function importsOf({ path, text }: SourceFile): readonly string[] {
  const found = known.get(path) ?? findImports(text);
  known.set(path, found);
  return found;
}

function findImports(text: string): string[] {
  const found: string[] = [];
  visit(parse(text).tree, (node) => {
    const source = node.source as Node | null | undefined;
    if (typeof source?.value === 'string') {
      found.push(source.value);
    }
    if ((node.callee as Node | undefined)?.type === 'Import') {
      const [first] = node.arguments as { readonly expression: Node }[];
      found.push(String(first?.expression.value));
    }
  });
  return found;
}

export function functionsOf({ text }: SourceFile): SourceFunction[] {
  const { tree, lineOf } = parse(text);
  const all: { name: string; start: number; end: number }[] = [];
  visit(tree, (node) => {
    if (FUNCTIONS.has(String(node.type)) && node.body !== null) {
      const span = (node.span ?? (node.function as Node | undefined)?.span) as Span;
      all.push({ name: nameOf(node), start: lineOf(span.start), end: lineOf(span.end) });
    }
  });
  return all.map((outer) => {
    const own = new Set<number>();
    for (let line = outer.start; line <= outer.end; line++) {
      own.add(line);
    }
    for (const inner of all) {
      if (inner !== outer && inner.start >= outer.start && inner.end <= outer.end) {
        for (let line = inner.start + 1; line <= inner.end; line++) {
          own.delete(line);
        }
      }
    }
    return { name: outer.name, line: outer.start, lines: own.size };
  });
}

interface Span {
  readonly start: number;
  readonly end: number;
}

type Node = Readonly<Record<string, unknown>>;

const FUNCTIONS = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
  'GetterProperty',
  'SetterProperty',
]);

function parse(text: string): { tree: Node; lineOf: (position: number) => number } {
  // Positions count bytes over all files parsed so far: an empty statement shows where ours begin.
  const module = parseSync(`;${text}`, { syntax: 'typescript', decorators: true });
  const base = module.body[0]?.span.start ?? 0;
  const bytes = Buffer.from(`;${text}`);
  const starts = [0];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    starts.push(at + 1);
  }
  const lineOf = (position: number) =>
    starts.findLastIndex((start) => start <= position - base) + 1;
  return { tree: module as unknown as Node, lineOf };
}

function visit(node: unknown, see: (node: Node) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) {
      visit(item, see);
    }
  } else if (typeof node === 'object' && node !== null) {
    see(node as Node);
    visit(Object.values(node), see);
  }
}

function nameOf(node: Node): string {
  const named = (node.identifier ?? node.key) as Node | null | undefined;
  return typeof named?.value === 'string' ? named.value : '(nameless)';
}
