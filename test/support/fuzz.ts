/** What the fuzz tests share: how many inputs there are, and how long each may take. */

/** How many inputs a fuzz test makes: few in each check, and 10,000 with `npm run fuzz`. */
export function fuzzRuns(quick: number): number {
  return process.env.SHUTTLE_FUZZ === 'full' ? 10_000 : quick;
}

/** No single answer may take longer; a healthy one takes milliseconds. */
const SLOW_MS = 2_000;

/**
 * Tells whether it is still soon. In time of the processor, since other work on the machine must
 * not decide; what hangs for ever ends at the test's own time-out.
 */
export function stopwatch(): () => boolean {
  const started = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(started);
    return user + system < SLOW_MS * 1_000;
  };
}
