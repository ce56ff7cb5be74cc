/** Looks for secrets in text, in whatever way they may have been written down. */
import { createPrivateKey } from 'node:crypto';

/** So many bytes of a secret are taken for it. */
const PIECE_BYTES = 12;
/** Members of a JSON Web Key that only the owner of the key knows. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

export interface Secret {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The parts of a PEM key that are not in its certificate too. */
export function secretsOfKey(name: string, pem: Buffer): Secret[] {
  const jwk = createPrivateKey(pem).export({ format: 'jwk' }) as Record<string, unknown>;
  return PRIVATE_MEMBERS.flatMap((member) => {
    const value = jwk[member];
    return typeof value === 'string'
      ? [{ name: `${name} (${member})`, bytes: Buffer.from(value, 'base64url') }]
      : [];
  });
}

/** The names of the secrets of which a piece stands in the text: plain, in hex or in base64. */
export function findSecrets(text: string, secrets: readonly Secret[]): string[] {
  const lower = text.toLowerCase();
  return secrets
    .filter(({ bytes }) =>
      piecesOf(bytes).some(
        (piece) =>
          text.includes(piece.toString('latin1')) ||
          lower.includes(piece.toString('hex')) ||
          base64Of(piece).some((encoded) => text.includes(encoded)),
      ),
    )
    .map(({ name }) => name);
}

/** Short secrets whole, long ones in overlapping pieces. */
function piecesOf(bytes: Buffer): Buffer[] {
  if (bytes.length <= PIECE_BYTES) {
    return [bytes];
  }
  return Array.from({ length: bytes.length - PIECE_BYTES + 1 }, (_, at) =>
    bytes.subarray(at, at + PIECE_BYTES),
  );
}

/** As it looks within a longer text that was encoded: it may begin at each third of a group. */
function base64Of(piece: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), piece]);
    // What shares a group with bytes that are not known says nothing.
    const from = before === 0 ? 0 : 4;
    const to = Math.floor(padded.length / 3) * 4;
    const encoded = padded.toString('base64').slice(from, to);
    return [encoded, encoded.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
