/**
 * Adds up the results that jest has written into a folder, and prints them as one line. A suite
 * that could not be run counts as one failed test: it would not show otherwise.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder = '', exitCode = '0'] = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const name of filesOf(folder)) {
  const result = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  sum.passed += result.numPassedTests;
  sum.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  sum.skipped += result.numPendingTests + result.numTodoTests;
}
// What fails before or beside the tests, such as the build, must not read as "0 failed".
if (exitCode !== '0' && sum.failed === 0) {
  sum.failed = 1;
}
const skipped = sum.skipped === 0 ? '' : `, ${sum.skipped} skipped`;
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed${skipped}\n`);

function filesOf(path) {
  try {
    return readdirSync(path).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}
