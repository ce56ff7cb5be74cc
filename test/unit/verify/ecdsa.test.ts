/** Of the two signatures that anybody can make of one, Fabric takes the one with the low S. */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { Certificate } from '../../../bridge/src/verify/certificate.ts';
import { wrongSignature } from '../../../bridge/src/verify/ecdsa.ts';
import { highS, ORDERS } from '../../support/tampering.ts';

const MESSAGE = Buffer.from('a message');
const CURVES = Object.keys(ORDERS) as (keyof typeof ORDERS)[];

function signer(namedCurve: string) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  const key = createPublicKey(privateKey);
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  return { privateKey, key, certificate: { key, keyType: 'ec', curve } as Certificate };
}

describe.each(CURVES)('a signature by a key of %s', (curve) => {
  const { privateKey, key, certificate } = signer(curve);
  const signature = sign('sha256', MESSAGE, privateKey);

  test('is taken with the one S and refused with the other, although both are right', () => {
    const both = [signature, highS(signature, curve)];
    expect(both.map((each) => verify('sha256', MESSAGE, key, each))).toEqual([true, true]);
    const said = both.map((each) => wrongSignature(certificate, [MESSAGE], each));
    expect(said).toContain(null);
    expect(said).toContainEqual(expect.stringContaining('S is high'));
  });

  test('is refused with a byte too many, a byte too few, and for another message', () => {
    const both = [signature, highS(signature, curve)];
    const [low = signature] = both.filter(
      (s) => wrongSignature(certificate, [MESSAGE], s) === null,
    );
    const longer = Buffer.concat([low, Buffer.from([0])]);
    expect(wrongSignature(certificate, [MESSAGE], longer)).toBe('it is no signature');
    expect(wrongSignature(certificate, [MESSAGE], low.subarray(1))).toBe('it is no signature');
    expect(wrongSignature(certificate, [Buffer.from('b')], low)).toBe('it does not match');
  });
});
