/**
 * One error class with a closed table of codes. The table is interface: docs/errors.md is rendered
 * from it, and the command line takes its exit codes and its advice from it.
 */

/** What is known of the effect of a call that failed. */
export type Effect = 'none' | 'unknown' | 'done';

/** What to do next: try again later, find out what happened first, or never without a change. */
export type Retry = 'later' | 'resolve' | 'never';

export interface ErrorKind {
  readonly title: string;
  readonly effect: Effect;
  readonly retry: Retry;
  /** 1 findings or not found, 2 usage, 3 unreachable, 4 refused by the ledger, 5 stop code. */
  readonly exit: 1 | 2 | 3 | 4 | 5;
  readonly help: string;
}

const kind = (
  title: string,
  effect: Effect,
  retry: Retry,
  exit: ErrorKind['exit'],
  help: string,
): ErrorKind => ({ title, effect, retry, exit, help });

export const ERRORS = {
  // Usage and configuration
  USAGE: kind('The command line is wrong.', 'none', 'never', 2, 'See `shuttle --help`.'),
  CONFIG_INVALID: kind(
    'The configuration is not valid.',
    'none',
    'never',
    2,
    'Correct the settings named above; `shuttle config schema` lists all of them.',
  ),
  FILE_UNREADABLE: kind(
    'A file that the configuration names cannot be read.',
    'none',
    'never',
    2,
    'Check the path and its permissions.',
  ),
  IDENTITY_INVALID: kind(
    'The Fabric identity cannot be used.',
    'none',
    'never',
    2,
    'Point fabric.identity to an MSP folder with signcerts and keystore of one user.',
  ),
  TOPIC_MISSING: kind(
    'A topic does not exist and creating it is not allowed.',
    'none',
    'never',
    2,
    'Create it with the settings named above, or set kafka.createTopics to true.',
  ),
  TOPIC_UNFIT: kind(
    'A topic has settings that Shuttle cannot work with.',
    'none',
    'never',
    2,
    'Change the settings named above with kafka-configs, or choose another topic.',
  ),
  CODEC_MISSING: kind(
    'Records are compressed with a codec that this build cannot read.',
    'none',
    'never',
    2,
    'Let the producers use gzip, snappy, lz4 or zstd.',
  ),
  INDEX_FOREIGN: kind(
    'The file is no index, or that of another topic.',
    'none',
    'never',
    2,
    'Choose another index.file, or delete the file: an index can be built again at any time.',
  ),
  RULES_INVALID: kind(
    'A rule file is not valid.',
    'none',
    'never',
    2,
    'Correct the lines named above; docs/cleaning.md shows what a rule file may say.',
  ),
  INPUT_INVALID: kind(
    'The file to clean cannot be read as what it is said to be.',
    'none',
    'never',
    2,
    'Check the format in the rules, and the start of the file.',
  ),
  KEY_INVALID: kind(
    'A key file does not hold a key.',
    'none',
    'never',
    2,
    'See docs/encryption.md for how keys are made, and what a key file holds.',
  ),
  KEY_UNKNOWN: kind(
    'Records are encrypted with a key that is not there.',
    'none',
    'never',
    2,
    'Name a folder by publish.encryption.keys, and put the file <key id>.key into it.',
  ),
  FILE_CHANGED: kind(
    'The file is another than the one whose load was begun.',
    'none',
    'never',
    2,
    'Load the file as it was to its end, or name another load with --as.',
  ),
  ARCHIVE_INVALID: kind(
    'The file is no archive of blocks.',
    'none',
    'never',
    2,
    'Name a file that `shuttle export` has written, whole.',
  ),
  FILE_EXISTS: kind(
    'The file to write is there already.',
    'none',
    'never',
    2,
    'Choose another name, or replace it with --force.',
  ),
  FILE_UNWRITABLE: kind(
    'A file cannot be written.',
    'none',
    'never',
    2,
    'Check the folder, its permissions and the space that is left.',
  ),
  // Unreachable
  KAFKA_UNREACHABLE: kind(
    'No Kafka broker answers.',
    'none',
    'later',
    3,
    'Check kafka.brokers, TLS and SASL settings, and that the brokers run.',
  ),
  KAFKA_REFUSED: kind(
    'Kafka refused the client.',
    'none',
    'never',
    3,
    'Check the client certificate, the SASL user and its ACLs.',
  ),
  REGISTRY_UNREACHABLE: kind(
    'The schema registry does not answer.',
    'none',
    'later',
    3,
    'Check clean.registry.url and its TLS certificate, and that the registry runs.',
  ),
  REGISTRY_REFUSED: kind(
    'The schema registry refused to answer, or lacks what a schema needs.',
    'none',
    'never',
    3,
    'Check clean.registry.url, its user and its permissions.',
  ),
  FABRIC_UNREACHABLE: kind(
    'The Fabric peer does not answer.',
    'none',
    'later',
    3,
    'Check fabric.peer.endpoint and its TLS certificate, and that the peer runs.',
  ),
  DEADLINE: kind(
    'The deadline has passed.',
    'unknown',
    'resolve',
    3,
    'Run the command again; nothing is done twice. --deadline gives it more time.',
  ),
  GROUP_ACTIVE: kind(
    'The consumer group has members.',
    'none',
    'never',
    4,
    'Stop every bridge of the group; one that was killed leaves after its session time-out.',
  ),
  PRODUCE_FAILED: kind(
    'Kafka did not acknowledge produced records.',
    'unknown',
    'resolve',
    3,
    'Shuttle starts a new producer and reads back what is committed.',
  ),
  CLEAN_FENCED: kind(
    'Another instance cleans the source partition.',
    'none',
    'later',
    3,
    'Shuttle waits for the consumer group to say whose the partition is.',
  ),
  // The ledger's answers
  ENDORSE_FAILED: kind(
    'The peers did not endorse the transaction.',
    'none',
    'later',
    4,
    'The cause names the peer; a lagging peer mends itself.',
  ),
  SUBMIT_UNKNOWN: kind(
    'It is not known whether the orderer took the transaction.',
    'unknown',
    'resolve',
    3,
    'Shuttle reads the watermark before it decides.',
  ),
  COMMIT_UNKNOWN: kind(
    'The commit status of a transaction did not arrive.',
    'unknown',
    'resolve',
    3,
    'Shuttle reads the watermark before it decides.',
  ),
  COMMIT_INVALID: kind(
    'The transaction was committed as invalid and had no effect.',
    'none',
    'resolve',
    4,
    'Another writer was faster (MVCC), or the endorsement policy is not met.',
  ),
  LEDGER_BUSY: kind(
    'The peer has reached its limit of concurrent gateway calls.',
    'none',
    'later',
    3,
    'Lower ingest.inFlightMax or raise peer.limits.concurrency.gatewayService.',
  ),
  LEDGER_REFUSED: kind(
    'The chaincode refused the transaction.',
    'none',
    'never',
    4,
    "The sentence above is the chaincode's own.",
  ),
  ACCESS_DENIED: kind(
    'The peer does not accept this identity.',
    'none',
    'never',
    4,
    'Check fabric.identity.mspId against the certificate; it may have expired or been revoked.',
  ),
  CHANNEL_MISSING: kind(
    'The peer has not joined the channel.',
    'none',
    'never',
    4,
    'Check fabric.channel; join the peer with `peer channel join`.',
  ),
  CHAINCODE_MISSING: kind(
    'The chaincode is not committed on the channel, or does not run.',
    'none',
    'never',
    4,
    'Check fabric.chaincode; `npx shuttle-network deploy` or docs/deploying.md.',
  ),
  CHAINCODE_UNFIT: kind(
    'The chaincode speaks another version of the wire format.',
    'none',
    'never',
    4,
    'Bring both to one release. A chaincode of your own has no setData and no deleteData.',
  ),
  NOT_FOUND: kind('There is no such document.', 'none', 'never', 1, 'Check the key.'),
  CHAIN_BROKEN: kind(
    'Something is wrong with the chain of blocks.',
    'none',
    'never',
    1,
    '`shuttle verify` tells everything that is wrong, and where.',
  ),
  EVIDENCE_LACKING: kind(
    'Evidence of the transaction would not hold by itself.',
    'none',
    'never',
    1,
    'A key with an endorsement policy of its own needs the whole chain: `shuttle export`.',
  ),
  BLOCK_MISSING: kind(
    'There is no such block.',
    'none',
    'never',
    1,
    '`shuttle status` tells the last block of the topic and of the peer.',
  ),
  LETTER_MISSING: kind(
    'There is no such dead letter.',
    'none',
    'never',
    1,
    '`shuttle dead-letters list` tells where each one stands.',
  ),
  REPEATED: kind(
    'Another transaction has finished records of the batch.',
    'none',
    'resolve',
    4,
    'Shuttle reads the watermark and goes on behind it.',
  ),
  // Stop codes
  LAYOUT_MISMATCH: kind(
    'The partition is laid out on the ledger in another way than configured.',
    'none',
    'never',
    5,
    'Configure ingest.lanes and ingest.keyExpression as the ledger says, or use `shuttle relane`.',
  ),
  SOURCE_REWOUND: kind(
    'What was carried already is ahead of the source partition.',
    'none',
    'never',
    5,
    'The topic was re-created or restored: docs/recovery.md says how its records are carried.',
  ),
  SOURCE_REPLACED: kind(
    'The source partition holds other records than the ledger has finished.',
    'none',
    'never',
    5,
    'The topic was created again, or somebody moved a watermark: see docs/recovery.md.',
  ),
  SOURCE_TRUNCATED: kind(
    'Records that were not carried yet are gone from the source partition.',
    'none',
    'never',
    5,
    'Restore them, or accept the loss with ingest.acceptTruncation or clean.acceptTruncation.',
  ),
  POSITION_LOST: kind(
    'The consumer group of the cleaning has no position, although the cleaned topic has records.',
    'none',
    'never',
    5,
    'Set the position, or start over with clean.acceptLostPosition; see docs/recovery.md.',
  ),
  GAP: kind(
    'The ledger lacks records that it had confirmed.',
    'none',
    'never',
    5,
    'The peer serves another ledger or was restored from an old copy: check fabric.peer.',
  ),
  FORKED: kind(
    'The blocks topic and the channel are different chains.',
    'none',
    'never',
    5,
    'Publish a re-created channel under another topic prefix.',
  ),
  BLOCKS_TRUNCATED: kind(
    'The blocks topic has lost records at its start.',
    'none',
    'never',
    5,
    'Restore the topic, or publish under another prefix; check that its retention is -1.',
  ),
  INDEX_BROKEN: kind(
    'The index and the changes topic do not belong together any more.',
    'none',
    'never',
    5,
    'Feed the index anew from the start of the topic: `shuttle index --rebuild`.',
  ),
  INDEX_FAILED: kind(
    'The file of the index cannot be read or written.',
    'none',
    'never',
    5,
    'Check the disk and the permissions; an index can be deleted and built again at any time.',
  ),
  BLOCK_INVALID: kind(
    'A block does not match its own hashes.',
    'none',
    'never',
    5,
    'The peer or the connection to it is not to be trusted; nothing of the block was published.',
  ),
  DECRYPTION_FAILED: kind(
    'A record is not the one that was encrypted, or not at its place.',
    'none',
    'never',
    5,
    'Somebody has changed or moved the record, or the key file: see docs/encryption.md.',
  ),
  PUBLISHER_FENCED: kind(
    'Another publisher of this channel has taken over.',
    'none',
    'never',
    5,
    'Run one publisher per channel; a standby may be started when this one has stopped.',
  ),
  LOAD_FENCED: kind(
    'Another process loads the same file.',
    'none',
    'never',
    5,
    'Let one process load a file; no record is loaded twice.',
  ),
  REPLAY_FENCED: kind(
    'Another replay of the same dead letters has taken over.',
    'none',
    'never',
    5,
    'Let one replay of a topic run at a time; no letter is replayed twice.',
  ),
  // A defect of Shuttle's own
  INTERNAL: kind(
    'Shuttle has met a case that it does not know.',
    'unknown',
    'never',
    5,
    'Please report it with the log.',
  ),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Codes with which the bridge itself refuses a record that cannot travel to the ledger. */
export const CARRY_REFUSALS = {
  KEY_MISSING: 'The record has no key and the key expression finds none.',
  RECORD_TOO_LARGE: 'The record is larger than a batch may be.',
  TIMESTAMP_INVALID: 'The record timestamp is not a whole number of milliseconds below 2^53.',
} as const;

export type CarryRefusalCode = keyof typeof CARRY_REFUSALS;

export interface ErrorDetails {
  readonly cause?: unknown;
  /** Where it happened: topic, partition, lane, offset, txId, peer, path, ... */
  readonly at?: Readonly<Record<string, string | number | bigint>>;
}

/** Every failure that Shuttle names. `code` says what, `message` is one sentence with the case. */
export class ShuttleError extends Error {
  readonly code: ErrorCode;
  readonly at: Readonly<Record<string, string | number | bigint>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ShuttleError';
    this.code = code;
    this.at = details.at ?? {};
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }
}

/** The error itself if Shuttle named it; anything else is a defect and becomes INTERNAL. */
export function toShuttleError(error: unknown): ShuttleError {
  if (error instanceof ShuttleError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ShuttleError('INTERNAL', message, { cause: error });
}
