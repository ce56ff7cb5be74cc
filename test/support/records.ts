/** Records as the fault suites produce them, and waiting for what they do. */

const KEYS = 200;
const POLL_MS = 100;

/**
 * Updates of few keys, deletes among them, and now and then a value that is no JSON.
 *
 * @param payBytes how long a value is at least
 * @param keys how many keys there are
 */
export function message(
  topic: string,
  n: number,
  payBytes = 0,
  keys = KEYS,
): { key: string; value: string | null } {
  const key = `${topic}/${(n * 7_919) % keys}`;
  if (n % 97 === 50) {
    return { key, value: `bad ${n}` };
  }
  const pay = 'x'.repeat(payBytes + (n % 97));
  return { key, value: n % 11 === 5 ? null : JSON.stringify({ n, pay }) };
}

/** Asks until it holds. @throws Error when it does not within the patience */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  patienceMs = 240_000,
): Promise<void> {
  const untilMs = Date.now() + patienceMs;
  for (;;) {
    const held = await Promise.resolve()
      .then(holds)
      .catch(() => false);
    if (held) {
      return;
    }
    if (Date.now() > untilMs) {
      throw new Error(`Waited in vain for ${what}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
