declare module 'snappyjs' {
  export function uncompress(compressed: Buffer, maxLength?: number): Buffer;
  export function compress(bytes: Buffer): Buffer;
}

declare module 'lz4js' {
  export function decompress(compressed: Uint8Array, maxSize?: number): Uint8Array;
  export function compress(bytes: Uint8Array, maxSize?: number): Uint8Array;
}
