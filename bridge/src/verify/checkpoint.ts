/** Where a verifier stands, in so few words that another one can go on from them. */

/** A block that was proven before. */
export interface BlockRef {
  readonly number: bigint;
  /** Header hash, lower-case hex. */
  readonly hash: string;
}

/** Whoever has the blocks that it names, and trusts it, proves what comes behind `tip`. */
export interface Checkpoint {
  readonly tip: BlockRef;
  /** Of the tip, lower-case hex; null when it has none. */
  readonly commitHash: string | null;
  /** The block that holds the config. */
  readonly config: BlockRef;
  /** The blocks that define chaincodes, as far as the definitions still hold. */
  readonly definitions: readonly BlockRef[];
  /** Whether keys have endorsement policies of their own, which nobody knows who goes on. */
  readonly hasKeyPolicies: boolean;
}

/** What of a checkpoint its block does not tell itself. */
export type CheckpointRest = Pick<Checkpoint, 'config' | 'definitions' | 'hasKeyPolicies'>;

/** One line of JSON: `{"config":"3:<hash>","definitions":["6:<hash>"],"keyPolicies":false}`. */
export function encodeCheckpoint({ config, definitions, hasKeyPolicies }: CheckpointRest): string {
  return JSON.stringify({
    config: refText(config),
    definitions: definitions.map(refText),
    keyPolicies: hasKeyPolicies,
  });
}

/** Null for any other text. */
export function decodeCheckpoint(text: string): CheckpointRest | null {
  const raw = parsed(text);
  const config = refOf(raw?.config);
  const list: readonly unknown[] = Array.isArray(raw?.definitions) ? raw.definitions : [];
  const definitions = list.map(refOf).filter((ref) => ref !== null);
  return config === null || definitions.length < list.length
    ? null
    : { config, definitions, hasKeyPolicies: raw?.keyPolicies !== false };
}

const refText = ({ number, hash }: BlockRef): string => `${number}:${hash}`;

function refOf(text: unknown): BlockRef | null {
  const [, number, hash] = /^(0|[1-9]\d{0,18}):([0-9a-f]{64})$/.exec(String(text)) ?? [];
  return number === undefined || hash === undefined ? null : { number: BigInt(number), hash };
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const raw: unknown = JSON.parse(text);
    return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
