/** How answers become bytes. */
import { JSONSerializer } from 'fabric-contract-api';

/**
 * fabric-contract-api's serializer, except that it writes answers itself.
 *
 * Strings and bytes go out as they are, so that a document stays what it was. Anything else is
 * plain JSON: the original passes it through class-transformer's classToPlain, which the version
 * that npm resolves for it (0.4.1) does not have, and every such answer - the contract's metadata,
 * which the tools of a network ask for - would fail.
 */
export class PlainSerializer extends JSONSerializer {
  // biome-ignore lint/suspicious/noExplicitAny: the base class returns undefined for no answer too.
  override toBuffer(result: unknown): any {
    if (result === undefined || result === null) {
      return undefined;
    }
    if (result instanceof Uint8Array) {
      return Buffer.from(result.buffer, result.byteOffset, result.length);
    }
    return Buffer.from(typeof result === 'string' ? result : JSON.stringify(result));
  }
}

/** What fabric-chaincode-node looks for beside `contracts`. */
export const serializers = { transaction: 'plain', serializers: { plain: PlainSerializer } };
