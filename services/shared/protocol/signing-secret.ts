/** Least length of the key of a signing secret: as many bytes as Standard Webhooks recommends. */
export const MIN_SECRET_BYTES = 24;

/**
 * Returns the key of a signing secret, `whsec_<base64>`, still in base64; undefined if the secret is malformed, or shorter
 * than `MIN_SECRET_BYTES`.
 */
export function parseSecretKey(text: string): string | undefined {
  const [, key = '', padding = ''] = /^whsec_([A-Za-z0-9+/]+)(={0,2})$/.exec(text) ?? [];
  const bytes = Math.floor((key.length * 3) / 4);
  return bytes < MIN_SECRET_BYTES || key.length % 4 === 1 ? undefined : `${key}${padding}`;
}
