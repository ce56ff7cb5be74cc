/** Where a record without a key takes its key from: a JSON Pointer (RFC 6901) into the value. */
import { sha256Hex } from '@shuttle/chaincode/wire';
import { ShuttleError } from '../errors.ts';

export interface KeyExpression {
  readonly text: string;
  /** Part of the layout: another expression would send a record to another lane. */
  readonly digest: string;
  /** The key found in a value, or null. Only a non-empty string or a safe integer is a key. */
  find(value: Uint8Array): Uint8Array | null;
}

/** @throws ShuttleError CONFIG_INVALID when the text is not a JSON Pointer */
export function createKeyExpression(text: string): KeyExpression | null {
  if (text === '') {
    return null;
  }
  if (!/^(?:\/(?:[^~/]|~[01])*)+$/.test(text)) {
    throw new ShuttleError('CONFIG_INVALID', `"${text}" is not a JSON Pointer, such as /id.`);
  }
  const path = text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { text, digest: sha256Hex(text), find: (value) => follow(value, path) };
}

function follow(value: Uint8Array, path: readonly string[]): Uint8Array | null {
  let node: unknown;
  try {
    node = JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return null;
  }
  for (const step of path) {
    node = child(node, step);
  }
  if (typeof node === 'string' && node !== '') {
    return Buffer.from(node, 'utf8');
  }
  return Number.isSafeInteger(node) ? Buffer.from(String(node), 'utf8') : null;
}

function child(node: unknown, step: string): unknown {
  if (Array.isArray(node)) {
    return /^(?:0|[1-9][0-9]*)$/.test(step) ? (node as unknown[])[Number(step)] : undefined;
  }
  if (typeof node === 'object' && node !== null && Object.hasOwn(node, step)) {
    return (node as Record<string, unknown>)[step];
  }
  return undefined;
}
