import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { findSecrets, type Secret, secretsOfKey } from '../../support/secrets.ts';

const password = 'correct horse battery staple';
const known: readonly Secret[] = [{ name: 'password', bytes: Buffer.from(password) }];
const inside = (text: string): string => `{"a":"${text}","b":1}`;

describe('the search for secrets', () => {
  it.each([
    ['as it is', inside(password)],
    ['in part', inside(password.slice(5, 20))],
    ['in hex', inside(Buffer.from(password).toString('hex').toUpperCase())],
    ['in base64', inside(Buffer.from(password).toString('base64'))],
    ['in base64 of more', inside(Buffer.from(`\0user\0${password}`).toString('base64'))],
    ['in base64 of other more', inside(Buffer.from(`xy${password}z`).toString('base64url'))],
  ])('finds one %s', (_, text) => {
    expect(findSecrets(text, known)).toEqual(['password']);
  });

  it('finds nothing where there is nothing', () => {
    expect(findSecrets(inside('correct horse'), known)).toEqual(['password']);
    expect(findSecrets(inside('correct h'), known)).toEqual([]);
  });

  it.each(['ec', 'rsa'] as const)('finds a private %s key, and no public one', (type) => {
    const { privateKey, publicKey } =
      type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const secrets = secretsOfKey('key', Buffer.from(pem));
    expect(
      findSecrets(publicKey.export({ format: 'pem', type: 'spki' }).toString(), secrets),
    ).toEqual([]);
    expect(findSecrets(pem, secrets)).toContain('key (d)');
    const { d = '' } = privateKey.export({ format: 'jwk' });
    const hex = Buffer.from(d, 'base64url').toString('hex');
    expect(findSecrets(inside(hex.slice(10)), secrets)).toContain('key (d)');
  });
});
