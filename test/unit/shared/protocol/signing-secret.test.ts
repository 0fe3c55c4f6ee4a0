import { describe, expect, it } from 'vitest';
import { MIN_SECRET_BYTES, parseSecretKey } from '../../../../services/shared/protocol/signing-secret.ts';

const encoded = (bytes: number) => Buffer.alloc(bytes, 'k').toString('base64');

describe('parseSecretKey', () => {
  it.each([MIN_SECRET_BYTES, 25, 26, 64])('returns the base64 of a key of %i bytes, with its padding', (bytes) => {
    expect(parseSecretKey(`whsec_${encoded(bytes)}`)).toBe(encoded(bytes));
  });

  it.each([
    ['without the prefix', encoded(32)],
    ['with text before the prefix', `x whsec_${encoded(32)}`],
    ['with text after the key', `whsec_${encoded(32)} x`],
    ['with characters that base64 does not have', `whsec_${encoded(30)}-_${encoded(30)}`],
    ['without a key', 'whsec_'],
    ['shorter than the least length', `whsec_${encoded(MIN_SECRET_BYTES - 1)}`],
    ['with a length that base64 never has', `whsec_${'k'.repeat(33)}`],
  ])('refuses a secret %s', (_what, text) => {
    expect(parseSecretKey(text)).toBeUndefined();
  });
});
