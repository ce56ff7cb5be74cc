/** kafkajs' errors as Shuttle's codes. */
import { type ErrorCode, ShuttleError } from '../errors.ts';

/** The fields by which kafkajs' errors, Node's and OpenSSL's are told apart. */
interface ErrorLike {
  readonly name?: string;
  readonly type?: string;
  readonly code?: unknown;
  readonly message?: string;
  readonly cause?: unknown;
  readonly topic?: string;
}

const REFUSED_TYPES = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'SECURITY_DISABLED',
]);

const MISSING_TYPES = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);
/** A record that this topic will never take; trying again would be for ever. */
const UNFIT_TYPES = new Set(['INVALID_TIMESTAMP']);
const FENCED_TYPES = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']);
/** kafkajs has no name for PRODUCER_FENCED. */
const FENCED_CODE = 90;

/** Certificates that do not convince, on either side. */
const TLS_REFUSAL = /CERT|certificate|self.?signed|UNABLE_TO_|ERR_TLS|ERR_SSL|SSL alert|EPROTO/i;
const CAUSES_MAX = 8;

/** The error and what caused it, outermost first. */
function* chainOf(error: unknown): Generator<ErrorLike> {
  let current = error;
  for (let i = 0; i < CAUSES_MAX && typeof current === 'object' && current !== null; i++) {
    yield current as ErrorLike;
    current = (current as ErrorLike).cause;
  }
}

/** Whether another producer of the same transactional id has taken over. */
export function isFenced(error: unknown): boolean {
  return [...chainOf(error)].some(
    ({ type, code }) => (type !== undefined && FENCED_TYPES.has(type)) || code === FENCED_CODE,
  );
}

/** Whether a broker answered with this protocol error, wrapped or not. */
export function hasType(error: unknown, ...types: readonly string[]): boolean {
  return [...chainOf(error)].some(({ type }) => type !== undefined && types.includes(type));
}

function codeOf({ name, type, code, message }: ErrorLike): ErrorCode | null {
  if (
    name === 'KafkaJSSASLAuthenticationError' ||
    (type !== undefined && REFUSED_TYPES.has(type))
  ) {
    return 'KAFKA_REFUSED';
  }
  if (type !== undefined && MISSING_TYPES.has(type)) {
    return 'TOPIC_MISSING';
  }
  if (type !== undefined && UNFIT_TYPES.has(type)) {
    return 'TOPIC_UNFIT';
  }
  const text = name?.startsWith('Kafka') ? message : '';
  if (TLS_REFUSAL.test(`${typeof code === 'string' ? code : ''} ${text}`)) {
    return 'KAFKA_REFUSED';
  }
  return null;
}

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  KAFKA_REFUSED: 'Kafka refused the client',
  TOPIC_MISSING: 'Kafka does not know the topic',
  TOPIC_UNFIT: 'Kafka does not take a record',
};

/** Names an error of kafkajs; what Shuttle named already stays as it is. */
export function toKafkaError(error: unknown, brokers: readonly string[]): ShuttleError {
  for (const link of chainOf(error)) {
    if (link instanceof ShuttleError) {
      return link;
    }
    const code = codeOf(link);
    if (code !== null) {
      const topic = link.topic === undefined ? {} : { topic: link.topic };
      return new ShuttleError(code, `${SENTENCES[code]}: ${link.message ?? code}.`, {
        cause: error,
        at: { brokers: brokers.join(','), ...topic },
      });
    }
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ShuttleError('KAFKA_UNREACHABLE', `Kafka does not answer: ${message}.`, {
    cause: error,
    at: { brokers: brokers.join(',') },
  });
}
