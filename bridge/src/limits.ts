/** A limit on everything, with its unit in its name. The wire's own limits are in wire.ts. */

/** Batches. */
export const LANES_DEFAULT = 16;
export const BATCH_RECORDS_DEFAULT = 1_000;
export const BATCH_BYTES_DEFAULT = 4 * 1024 * 1024;
export const BATCH_AGE_MS_DEFAULT = 50;
export const IN_FLIGHT_MAX_DEFAULT = 32;

/** Back-pressure: a partition is paused above the high mark and resumed below the low one. */
export const BUFFER_RECORDS_MAX_DEFAULT = 40_000;
export const BUFFER_BYTES_MAX_DEFAULT = 48 * 1024 * 1024;
export const BUFFER_LOW_SHARE = 0.75;

/** Group offsets are acked this often, and at every orderly stop. */
export const ACK_INTERVAL_MS_DEFAULT = 1_000;
/** An offset that does not move is acked again after so long. */
export const ACK_AGAIN_MS = 60_000;

/** Waiting after errors: doubled from the first to the cap, drawn from the upper half of that. */
export const BACK_OFF_FIRST_MS = 20;
export const BACK_OFF_CAP_MS = 5_000;

/** A watermark that stays below what a receipt promised for longer than this: GAP. */
export const GAP_PATIENCE_MS_DEFAULT = 60_000;

/** Calls to Fabric. */
export const EVALUATE_TIMEOUT_MS_DEFAULT = 15_000;
export const ENDORSE_TIMEOUT_MS_DEFAULT = 30_000;
export const SUBMIT_TIMEOUT_MS_DEFAULT = 15_000;
export const COMMIT_STATUS_TIMEOUT_MS_DEFAULT = 30_000;
export const BLOCK_SILENCE_MS_DEFAULT = 30_000;
export const GRPC_MESSAGE_BYTES_MAX = 128 * 1024 * 1024;
export const GRPC_KEEPALIVE_MS = 120_000;

/** Kafka transactions of the publisher. */
export const PUBLISH_TRANSACTION_BYTES_MAX = 8 * 1024 * 1024;
export const PUBLISH_TRANSACTION_RECORDS_MAX = 20_000;
export const PUBLISH_TRANSACTION_TIMEOUT_MS = 60_000;
export const PUBLISH_DEADLINE_MS = 40_000;
export const PUBLISH_QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/** A request to a schema registry. */
export const REGISTRY_TIMEOUT_MS_DEFAULT = 10_000;

/** One-shot commands give up after this. */
export const COMMAND_DEADLINE_MS_DEFAULT = 30_000;

/** How long to wait before try number `attempt` (from 1), in ms; `random` is in [0, 1). */
export function backOffMs(attempt: number, random: number): number {
  const ceiling = Math.min(BACK_OFF_CAP_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.ceil(ceiling * (0.5 + random / 2));
}

/** A member of the consumer group that is silent for longer loses its partitions. */
export const SESSION_TIMEOUT_MS_DEFAULT = 30_000;

/** A request that a broker has not answered for so long is given up, and its connection with it. */
export const KAFKA_REQUEST_TIMEOUT_MS_DEFAULT = 30_000;

/** A record batch that grows beyond these when it is decompressed is not read: it may be a trap. */
export const KAFKA_BATCH_BYTES_MAX = 256 * 1024 * 1024;
export const KAFKA_BATCH_RECORDS_MAX = 4_000_000;

/** How often a peer that is behind the blocks topic is asked for its height. */
export const PEER_BEHIND_POLL_MS = 1_000;
/** A stop waits this long for the Kafka transaction in flight, then leaves it to be aborted. */
export const PUBLISH_STOP_PATIENCE_MS = 10_000;

/** Room for a block on its topic: AbsoluteMaxBytes of the development channel. */
export const BLOCK_BYTES_MAX_DEFAULT = 10 * 1024 * 1024;

/** Kafka transactions of a replay. One that was killed holds the source's readers up so long. */
export const REPLAY_TRANSACTION_TIMEOUT_MS = 30_000;
export const REPLAY_DEADLINE_MS = 20_000;

/** Identifiers of things, in UTF-16 units; the longest key of GS1 takes some 200 as a URI. */
export const IDENTIFIER_LENGTH_MAX = 2_048;

/** Values in one EPCIS event or header; checking takes memory for each that is wrong. */
export const EPCIS_VALUES_MAX = 100_000;
/** So many findings of one EPCIS document are told; one that is another format has thousands. */
export const EPCIS_FINDINGS_MAX = 50;

/** Changes that one transaction of the index's database takes. */
export const INDEX_STEP_CHANGES_MAX = 1_000;
/** How long a partition of the changes topic is waited on for new records. */
export const INDEX_FOLLOW_WAIT_MS = 500;
/** How often the ends of the changes topic are looked at while the index follows it. */
export const INDEX_LOOK_MS = 5_000;

/** `consume` at the end of its topic: how long one fetch waits, and how often it looks around. */
export const CONSUME_FOLLOW_WAIT_MS = 500;
export const CONSUME_LOOK_MS = 5_000;

/** Kafka transactions of the cleaning: cut at the first of these that is reached. */
export const CLEAN_TRANSACTION_RECORDS_MAX = 4_000;
export const CLEAN_TRANSACTION_BYTES_MAX = 8 * 1024 * 1024;
export const CLEAN_TRANSACTION_AGE_MS = 50;
export const CLEAN_TRANSACTION_TIMEOUT_MS = 60_000;
export const CLEAN_DEADLINE_MS = 40_000;
/** Raw records in memory over all partitions; beyond, partitions are paused. */
export const CLEAN_BUFFER_RECORDS_MAX = 40_000;
export const CLEAN_BUFFER_BYTES_MAX = 48 * 1024 * 1024;
/** Cleaning works for so long before heartbeats, answers and signals get their turn. */
export const CLEAN_WORK_MS_MAX = 10;
/** Who is fenced waits so long for the group to take its partition away, then asks for it anew. */
export const CLEAN_FENCED_PATIENCE_MS = 4_000;

/** Rows of a page of a trace, item or recall that the ledger is asked for at once. */
export const TRACE_PAGE_ROWS = 250;

/** Things that the read model finds for one question. */
export const TRACE_FOUND_MAX = 1_000_000;

/** Events of one thing that the read model looks at for one question. */
export const TRACE_ENTRIES_MAX = 200_000;

/** Kafka transactions of `shuttle load`: cut at the first of these that is reached. */
export const LOAD_TRANSACTION_RECORDS_MAX = 5_000;
export const LOAD_TRANSACTION_BYTES_MAX = 4 * 1024 * 1024;
export const LOAD_TRANSACTION_TIMEOUT_MS = 30_000;
export const LOAD_DEADLINE_MS = 20_000;

/** A block of an archive: no peer sends a longer one. */
export const ARCHIVE_BLOCK_BYTES_MAX = GRPC_MESSAGE_BYTES_MAX;

/** A file of evidence: 43 bytes a block of the chain, and a few blocks in base64. */
export const EVIDENCE_BYTES_MAX = 400 * 1024 * 1024;
