/** The bridge's own signature of a block. */
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  type AttestedBlock,
  attestationAlgorithm,
  attestationBytes,
  attestationKeyId,
  checkAttestation,
  createAttester,
} from '../../../bridge/src/block/attestation.ts';
import type { OutputHeader } from '../../../bridge/src/values.ts';

const block: AttestedBlock = {
  channel: 'mychannel',
  genesisHash: '0a'.repeat(32),
  number: 12n,
  hash: '0b'.repeat(32),
  commitHash: '0c'.repeat(32),
};

const pairs = [
  { name: 'Ed25519', ...generateKeyPairSync('ed25519') },
  { name: 'P-256', ...generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) },
];
const trusted = new Map(pairs.map(({ publicKey }) => [attestationKeyId(publicKey), publicKey]));

const signatureOf = (headers: readonly OutputHeader[]): Buffer =>
  Buffer.from(Buffer.from(headers[1]?.value ?? '').toString(), 'base64');

describe.each(pairs)('an attestation by $name', ({ privateKey, publicKey }) => {
  const headers = createAttester(privateKey)(block);
  const keyId = attestationKeyId(publicKey);

  it('is valid for its block, by the fingerprint of the public key', () => {
    expect(checkAttestation(headers, block, trusted)).toEqual({ kind: 'valid', keyId });
    const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    expect(keyId).toBe(createHash('sha256').update(der).digest('hex'));
  });

  it('is of exactly the documented bytes, so that others can check it', () => {
    const text =
      'shuttle.attestation.1\nmychannel\n' +
      `${'0a'.repeat(32)}\n12\n${'0b'.repeat(32)}\n${'0c'.repeat(32)}\n`;
    expect(Buffer.from(attestationBytes(block)).toString()).toBe(text);
    const signature = signatureOf(headers);
    const digest = attestationAlgorithm(publicKey) === 'p-256' ? 'sha256' : null;
    expect(verify(digest, Buffer.from(text), publicKey, signature)).toBe(true);
  });

  it.each<[string, Partial<AttestedBlock>]>([
    ['channel', { channel: 'other' }],
    ['genesis', { genesisHash: '0d'.repeat(32) }],
    ['number', { number: 13n }],
    ['hash', { hash: '0d'.repeat(32) }],
    ['commit hash', { commitHash: '0d'.repeat(32) }],
    ['commit hash taken away', { commitHash: null }],
  ])('is wrong for a block with another %s', (_, other) => {
    const found = checkAttestation(headers, { ...block, ...other }, trusted);
    expect(found).toEqual({ kind: 'wrong', keyId });
  });

  it('is wrong when any byte of the signature is another one, or some are missing', () => {
    const signature = signatureOf(headers);
    const check = (value: string | null) =>
      checkAttestation(
        [headers[0] ?? never(), { name: 'shuttle_attestation', value }],
        block,
        trusted,
      );
    signature.forEach((byte, index) => {
      const spoiled = Buffer.from(signature);
      spoiled[index] = byte ^ 1;
      expect(check(spoiled.toString('base64')).kind).toBe('wrong');
    });
    for (const text of ['', 'no base64!', signature.toString('base64').slice(0, -4), null]) {
      expect(check(text).kind).toBe('wrong');
    }
  });

  it('is by an unknown key for who does not trust the key, also when it says another', () => {
    expect(checkAttestation(headers, block, new Map())).toEqual({ kind: 'unknown-key', keyId });
    const others = [...trusted].filter(([id]) => id !== keyId);
    const [otherId = ''] = others[0] ?? [];
    const claimed = [{ name: 'shuttle_attestation_key', value: otherId }, ...headers.slice(1)];
    expect(checkAttestation(claimed, block, trusted)).toEqual({ kind: 'wrong', keyId: otherId });
  });
});

it('a block without an attestation has none, and half of one is not valid', () => {
  expect(checkAttestation([], block, trusted)).toEqual({ kind: 'absent' });
  const [, signature] = createAttester(pairs[0]?.privateKey ?? never())(block);
  const half = checkAttestation([signature ?? never()], block, trusted);
  expect(half).toEqual({ kind: 'unknown-key', keyId: '' });
});

it('a block without a commit hash, as block 0, is attested too', () => {
  const genesis = { ...block, number: 0n, commitHash: null };
  const headers = createAttester(pairs[0]?.privateKey ?? never())(genesis);
  expect(checkAttestation(headers, genesis, trusted).kind).toBe('valid');
  expect(checkAttestation(headers, { ...genesis, commitHash: '' }, trusted).kind).toBe('wrong');
});

it('keys of other kinds attest nothing', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
  expect([rsa, p384].map(attestationAlgorithm)).toEqual([null, null]);
});

function never(): never {
  throw new TypeError('there is no such value');
}
