/** Kafka records as lines of JSON, with documents as they are. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text; null when the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * The JSON that the text is, on one line and otherwise as it stands: big numbers and repeated
 * members included. Null when it is no JSON.
 */
export function jsonLine(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  // Line ends stand between values only: within a string they are escaped.
  return text.replaceAll(/[\r\n]+/g, ' ');
}

/**
 * A member of an object for bytes of any kind: `"<name>":<JSON>` for JSON (and null),
 * `"<name>Text":"..."` for other text, `"<name>Base64":"..."` for everything else.
 */
export function valueMember(name: string, bytes: Uint8Array | null): string {
  if (bytes === null) {
    return `"${name}":null`;
  }
  const text = textOf(bytes);
  if (text === null) {
    return `"${name}Base64":"${Buffer.from(bytes).toString('base64')}"`;
  }
  const json = jsonLine(text);
  return json === null ? `"${name}Text":${JSON.stringify(text)}` : `"${name}":${json}`;
}
