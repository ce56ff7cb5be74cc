import { ShuttleError } from '../../errors.ts';
import type { Submitted } from '../../ports.ts';
import type { Session } from '../session.ts';

/** Tries of a transaction that another writer of the same entry makes invalid. */
const CONFLICTS_MAX = 5;

/** COMMIT_INVALID had no effect: another writer was faster, so the same is asked for again. */
export async function submit(
  session: Session,
  transaction: string,
  args: readonly string[],
): Promise<Submitted> {
  const ledger = await session.shuttle().ledger();
  for (let attempt = 1; ; attempt++) {
    try {
      return await ledger.submit(transaction, args);
    } catch (error) {
      const invalid = error instanceof ShuttleError && error.code === 'COMMIT_INVALID';
      if (!invalid || attempt === CONFLICTS_MAX) {
        throw error;
      }
    }
  }
}
