/** Parses the token of an `Authorization: Bearer` header (RFC 6750, section 2.1); undefined if there is none. */
export function parseBearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}
