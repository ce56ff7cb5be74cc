/** What settings are made of: kinds of texts, files, addresses and times. */
import { NAME_BYTES_MAX } from '@shuttle/chaincode/wire';
import { z } from 'zod';

/** What the JSON Schema cannot say of a setting. */
interface SettingFacts {
  /** The value is a path: one that is relative starts at the place that names it. */
  readonly path?: boolean;
  /** What is allowed, in words, where the type alone does not tell. */
  readonly allowed?: string;
  /** What applies when the default is worked out at start. */
  readonly otherwise?: string;
}

/** Beside zod's own metadata, so that it does not leak into the JSON Schema. */
export const settingFacts = z.registry<SettingFacts>();

export const HOUR_MS = 3_600_000;

export const text = (allowed: string, pattern = /^\S+$/) =>
  z.string().regex(pattern).register(settingFacts, { allowed });
export const file = (allowed: string, otherwise?: string) =>
  z
    .string()
    .min(1)
    .optional()
    .register(settingFacts, {
      path: true,
      allowed,
      ...(otherwise === undefined ? {} : { otherwise }),
    });
export const durationMs = (fallback: number) => z.int().min(1).max(HOUR_MS).default(fallback);
export const host = z
  .string()
  .regex(/^(?:\[[0-9a-fA-F:]+\]|[^\s:,]+):[0-9]{1,5}$/)
  .register(settingFacts, { allowed: 'host:port' });
export const topicName = new RegExp(`^[a-zA-Z0-9._-]{1,${NAME_BYTES_MAX}}$`);
export const TOPIC_WORDS = `letters, digits, ".", "_" and "-", at most ${NAME_BYTES_MAX}`;
