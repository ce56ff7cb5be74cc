/** The schema registry that is configured, where rules need one. */
import type { Format } from '../clean/rules.ts';
import type { SchemaSource } from '../clean/wire-schema.ts';
import { ShuttleError } from '../errors.ts';
import { createRegistry, type RegistryOptions } from './client.ts';
import type { RegistryConnection } from './http.ts';

/**
 * Undefined when the format needs none.
 *
 * @throws ShuttleError CONFIG_INVALID when one is needed and none is configured
 */
export function registryFor(
  format: Format | null,
  connection: RegistryConnection | undefined,
  options: RegistryOptions,
): SchemaSource | undefined {
  if (format?.kind !== 'registry') {
    return undefined;
  }
  if (connection === undefined) {
    const sentence = 'The rules have the format "registry", and clean.registry.url is not set.';
    throw new ShuttleError('CONFIG_INVALID', sentence);
  }
  return createRegistry(connection, options);
}
