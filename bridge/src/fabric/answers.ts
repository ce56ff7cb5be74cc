/** What the gateway's errors mean, by lifecycle step: what is known of their effect, what next. */
import { status } from '@grpc/grpc-js';
import { GatewayError } from '@hyperledger/fabric-gateway';
import type { RefusalCode } from '@shuttle/chaincode/wire';
import { type ErrorCode, ShuttleError } from '../errors.ts';

export type Step = 'evaluate' | 'endorse' | 'submit' | 'commit status';

/** The chaincode's own refusals, `CODE: sentence`, that have a code of the same name here. */
const REFUSALS: Partial<Record<RefusalCode, ErrorCode>> = {
  GAP: 'GAP',
  REPEATED: 'REPEATED',
  LAYOUT_MISMATCH: 'LAYOUT_MISMATCH',
  NOT_FOUND: 'NOT_FOUND',
  // The layout was committed before the first batch is cut: a peer without it lags behind.
  LAYOUT_MISSING: 'ENDORSE_FAILED',
  // Whoever asks has read an older state of the ledger, and reads it again.
  OLDER_PARTITIONS: 'ENDORSE_FAILED',
};

const REFUSAL = /chaincode response \d+, (?:Error: )?([A-Z][A-Z0-9_]+): ([\s\S]*)/;

/** Texts of peers and orderers, in the order in which they are looked for. */
const TEXTS: readonly (readonly [RegExp, ErrorCode])[] = [
  [/too many requests/i, 'LEDGER_BUSY'],
  [/access denied|creator org|failed authorization|identity is not valid/i, 'ACCESS_DENIED'],
  // A peer's, an orderer's and the deliver service's: no time mends an identity.
  [/client identity expired/i, 'ACCESS_DENIED'],
  [/failed to get config for channel|channel \S+ (?:doesn't exist|not found)/i, 'CHANNEL_MISSING'],
  [/Channel does not exist/i, 'CHANNEL_MISSING'],
  [/You've asked to invoke a function that does not exist/, 'CHAINCODE_UNFIT'],
  [/successfully defined on channel|chaincode definition for .+ not found/i, 'CHAINCODE_MISSING'],
  [/status=(?:BAD_REQUEST|FORBIDDEN|REQUEST_ENTITY_TOO_LARGE)/, 'LEDGER_REFUSED'],
];

/** By step, when no text says more: a peer that is gone, and everything else. */
const DEFAULTS: Record<Step, { readonly unavailable: ErrorCode; readonly other: ErrorCode }> = {
  evaluate: { unavailable: 'FABRIC_UNREACHABLE', other: 'ENDORSE_FAILED' },
  endorse: { unavailable: 'FABRIC_UNREACHABLE', other: 'ENDORSE_FAILED' },
  submit: { unavailable: 'SUBMIT_UNKNOWN', other: 'SUBMIT_UNKNOWN' },
  'commit status': { unavailable: 'COMMIT_UNKNOWN', other: 'COMMIT_UNKNOWN' },
};

/** Turns any error of a gateway call into a ShuttleError; others stay what they are. */
export function explain(step: Step, peer: string, error: unknown): unknown {
  if (!(error instanceof GatewayError)) {
    return error;
  }
  const texts = [...error.details.map((detail) => detail.message), error.message];
  const at = { step, peer };
  for (const text of texts) {
    const [, code, sentence] = REFUSAL.exec(text) ?? [];
    if (code !== undefined && sentence !== undefined) {
      const mapped = REFUSALS[code as RefusalCode] ?? 'LEDGER_REFUSED';
      return new ShuttleError(mapped, sentence, { cause: error, at: { ...at, refusal: code } });
    }
  }
  for (const [pattern, code] of TEXTS) {
    const text = texts.find((t) => pattern.test(t));
    if (text !== undefined) {
      const message = `The peer ${peer} answered: ${sentenceOf(text)}`;
      return new ShuttleError(code, message, { cause: error, at });
    }
  }
  const gone = error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED;
  const { unavailable, other } = DEFAULTS[step];
  const details = error.details.map((d) => `${d.address} (${d.mspId}): ${d.message}`).join('; ');
  const message = `The ${step} call to ${peer} failed: ${sentenceOf(details || error.message)}`;
  return new ShuttleError(gone ? unavailable : other, message, { cause: error, at });
}

/** Whether the error may mean that there is no such chaincode on the channel. */
export function mayLackChaincode(error: unknown): error is ShuttleError {
  return (
    error instanceof ShuttleError &&
    error.code === 'ENDORSE_FAILED' &&
    /No metadata was found for chaincode|no peers available to evaluate/.test(error.message)
  );
}

/**
 * What a transaction of Shuttle's chaincode has answered.
 *
 * @throws ShuttleError CHAINCODE_UNFIT when it is not what `decode` reads
 */
export function decodeAnswer<T>(
  transaction: string,
  bytes: Uint8Array,
  decode: (json: string) => T,
): T {
  try {
    return decode(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new ShuttleError('CHAINCODE_UNFIT', `The answer to ${transaction} cannot be read.`, {
      cause,
      at: { transaction },
    });
  }
}

/** gRPC's own prefix, such as "14 UNAVAILABLE: ", says what the code says already. */
function sentenceOf(text: string): string {
  const bare = text.replace(/^\d+ [A-Z_]+: /, '').replace(/ Resolution note: *$/, '');
  return /[.!?]$/.test(bare) ? bare : `${bare}.`;
}
