/** Reads the token of an `Authorization: Bearer` header (RFC 6750, section 2.1); undefined where it shows none. */
export function parseBearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}
