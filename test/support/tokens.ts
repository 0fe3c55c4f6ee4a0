import { SignJWT } from 'jose';

/** The bearer token that webhooks accept in tests. */
export const WEBHOOK_TOKEN = 'a-token-of-the-tests';

/** The secret with which relays verify JWTs in tests. */
export const JWT_SECRET = 'a-secret-of-the-tests-with-32-bytes-and-more';

/** Signs a JWT with `JWT_SECRET` that expires in an hour. Claims that are `undefined` are omitted. */
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
