/** Asking a read model. */
import type { EventStore } from '@shuttle/chaincode/epcis/store';

/** What a read model says of itself. */
export interface ModelState {
  readonly file: string;
  /** The highest block of a change that it holds; null when it holds none. */
  readonly block: bigint | null;
  /** When it held all that was on the changes topic (ms since the epoch). */
  readonly completeAtMs: number;
}

export interface ModelDocument {
  readonly key: Uint8Array;
  readonly document: Uint8Array;
  /** `<stream>/<topic>/<partition>/<offset>`; null for a client's version. */
  readonly source: string | null;
  readonly block: bigint | null;
}

/** The asking side of the model: one moment of it, however long the questions take. */
export interface ReadModel {
  readonly state: ModelState;
  /** The events and their index, for the reasoning that the ledger does in the same way. */
  readonly events: EventStore;
  /** Documents whose key starts with a prefix, in the order of their keys' bytes. */
  list(prefix: string, from: string, limit: number): readonly ModelDocument[];
  close(): void;
}
