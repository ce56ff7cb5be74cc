/** Why a transaction was refused, in the one form that clients can rely on: `CODE: sentence`. */
import { RECORD_REFUSALS, type RecordRefusalCode, type RefusalCode } from './wire.ts';

/**
 * Refuses the whole transaction; nothing of it is written.
 *
 * The message reaches the client through the peer, so it starts with the code and holds nothing
 * that differs between two peers: no engine's error text, no clock, no local path.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, sentence: string) {
    super(`${code}: ${sentence}`);
    this.name = 'Refusal';
    this.code = code;
  }
}

/** The refusal of a single document by setData or deleteData, in the words of a dead letter. */
export function documentRefusal(code: RecordRefusalCode): Refusal {
  return new Refusal(code, RECORD_REFUSALS[code]);
}
