/** The topics of dead letters, and the headers of these and of replayed records. */

export const deadLetterTopic = (source: string): string => `${source}.dead-letters`;

/** What readers of Kafka Connect's dead letters know. */
export const CONNECT = '__connect.errors.';
/** What Shuttle says beside it. */
export const ERRORS_HEADER = '__shuttle.errors.';
/** Stands on a record that a replay has brought back. */
export const REPLAY = '__shuttle.replay.';

/** The first header of those that a dead letter has behind its record's own. */
export const LETTER_BEGIN = `${CONNECT}topic`;

/** Of the record that the letter is of, or of the first one when that was a replay itself. */
export const REPLAY_RECORD = `${REPLAY}record`;
export const REPLAY_LETTER = `${REPLAY}letter`;
export const REPLAY_TIMESTAMP = `${REPLAY}timestamp`;
export const REPLAY_ATTEMPT = `${REPLAY}attempt`;
