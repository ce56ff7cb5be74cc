#!/usr/bin/env node
import { existsSync } from 'node:fs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const built = new URL('../dist/cli.js', import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  const found = process.version;
  process.stderr.write(`REQUIREMENT_MISSING: Node.js 20.19 or newer is needed, not ${found}.\n`);
  process.exitCode = 2;
} else if (existsSync(built)) {
  await import(built.href);
} else {
  process.stderr.write('USAGE: shuttle-network is not built.\n  Do: Run `npm run build`.\n');
  process.exitCode = 2;
}
