/** Commands that ask the read model where it is there, and say so. */
import type { Command } from 'commander';
import type { ModelState, ReadModel } from '../read-model/queries.ts';
import type { Session } from './session.ts';

export function addLedgerOption(command: Command): Command {
  return command.option('--ledger', 'ask the ledger, even when there is an index');
}

/** Answers by the read model, or by the ledger when there is none or `--ledger` says so. */
export async function withReadModel<T>(
  session: Session,
  byModel: (model: ReadModel) => T | Promise<T>,
  byLedger: () => Promise<T>,
): Promise<{ readonly answer: T; readonly state: ModelState | null }> {
  const model = session.options.ledger === true ? null : session.shuttle().readModel();
  if (model === null) {
    return { answer: await byLedger(), state: null };
  }
  try {
    const { state } = model;
    if (!session.json) {
      session.io.stderr.write(`${stateText(state)}\n`);
    }
    return { answer: await byModel(model), state };
  } finally {
    model.close();
  }
}

/** For `--json`: where the answer comes from; nothing for the ledger itself. */
export function stateJson(state: ModelState | null): { readonly index?: object } {
  if (state === null) {
    return {};
  }
  const { file, block, completeAtMs } = state;
  const completeAt = new Date(completeAtMs).toISOString();
  return { index: { file, block: block?.toString() ?? null, completeAt } };
}

function stateText({ file, block, completeAtMs }: ModelState): string {
  const changes = block === null ? 'no change yet' : `all changes up to block ${block}`;
  return `By the index ${file}: ${changes}, complete at ${new Date(completeAtMs).toISOString()}.`;
}
