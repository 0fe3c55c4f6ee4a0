import { SignJWT } from 'jose';

/** A secret that relays of the tests know. */
export const JWT_SECRET = 'a-secret-of-the-tests-with-32-bytes-and-more';

/** Signs a token with the secret of the tests, good for an hour; claims with `undefined` are left out. */
export function signToken(
  claims: Record<string, unknown>,
  options: { secret?: string; algorithm?: string } = {},
): Promise<string> {
  const { secret = JWT_SECRET, algorithm = 'HS256' } = options;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ exp: now + 3600, ...claims })
    .setProtectedHeader({ alg: algorithm })
    .sign(new TextEncoder().encode(secret));
}
