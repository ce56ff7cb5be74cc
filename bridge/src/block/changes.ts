/** The versions of document keys that a valid transaction wrote, each one a change. */
import { decodeEnvelope, type Envelope } from '@shuttle/chaincode/envelope';
import { type BatchHeader, decodeHeader, shortId } from '@shuttle/chaincode/wire';
import { type ChaincodeAction, decodeWrites, readWriteSets, type Write } from './transaction.ts';

/** The transaction of the chaincode's exactly-once half; its first argument is the header. */
const SUBMIT_BATCH = 'submitBatch';

export interface Change {
  /** The ledger's key, verbatim. */
  readonly key: Uint8Array;
  /** The document's bytes, verbatim; null deletes. */
  readonly value: Uint8Array | null;
  /** Offset in the source partition of the transaction's batch; null when it is not known. */
  readonly offset: bigint | null;
  /** The value is not an envelope of Shuttle's and stands as the chaincode wrote it. */
  readonly raw: boolean;
}

/** The batch header of a submitBatch transaction of `chaincode`; null for any other. */
export function sourceHeader(action: ChaincodeAction, chaincode: string): BatchHeader | null {
  const [argument] = action.args;
  // fabric-contract-api lets a client put the contract's name and a colon before the function's.
  const name = action.function.slice(action.function.lastIndexOf(':') + 1);
  if (action.chaincode !== chaincode || name !== SUBMIT_BATCH || argument === undefined) {
    return null;
  }
  try {
    return decodeHeader(Buffer.from(argument).toString('utf8'));
  } catch {
    // A client may call it with anything; the chaincode refuses that, so it can only be invalid.
    return null;
  }
}

/**
 * The changes of one VALID transaction in the chaincode's namespace: superseded versions first, in
 * order, then the current one. Composite keys (layouts, watermarks, indexes) are not documents.
 *
 * @throws ShuttleError BLOCK_INVALID when the write set cannot be decoded
 */
export function changesOf(
  action: ChaincodeAction,
  chaincode: string,
  source: BatchHeader | null,
  creatorMspId: string,
): Change[] {
  const expected = source === null ? null : shortIdOf(source, creatorMspId);
  const changes: Change[] = [];
  for (const { namespace, rwset } of readWriteSets(action.results)) {
    if (namespace !== chaincode) {
      continue;
    }
    for (const write of decodeWrites(rwset)) {
      if (write.key[0] !== 0) {
        pushVersions(changes, write, expected);
      }
    }
  }
  return changes;
}

function shortIdOf({ stream, topic, partition }: BatchHeader, creatorMspId: string): string {
  return shortId(stream, topic, partition, creatorMspId);
}

function pushVersions(changes: Change[], write: Write, expected: string | null): void {
  const { key } = write;
  if (write.isDelete) {
    changes.push({ key, value: null, offset: null, raw: false });
    return;
  }
  const envelope = tryEnvelope(write.value);
  if (envelope === null) {
    changes.push({ key, value: write.value, offset: null, raw: true });
    return;
  }
  const { writer, versions } = envelope;
  // Only the transaction's own batch can say what a short id stands for.
  const known = writer.kind === 'source' && writer.shortId === expected;
  for (const { document, offset } of versions) {
    changes.push({ key, value: document, offset: known ? offset : null, raw: false });
  }
}

const [BRACE, QUOTE, SOURCE, CLIENT] = Buffer.from('{"sm');

/** A look at the first bytes spares foreign values the cost of an exception each. */
function tryEnvelope(value: Uint8Array): Envelope | null {
  const [brace, quote, member, end] = value;
  const likely =
    brace === BRACE && quote === QUOTE && (member === SOURCE || member === CLIENT) && end === QUOTE;
  if (!likely) {
    return null;
  }
  try {
    return decodeEnvelope(value);
  } catch {
    return null;
  }
}
