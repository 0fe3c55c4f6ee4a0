/** Whether an origin is meant. */
export type OriginRule = (origin: URL) => boolean;

/** Whose pages may connect. */
export interface OriginConfig {
  /** Empty: by `sameHostOnly`. */
  readonly allowed: readonly OriginRule[];
  readonly sameHostOnly: boolean;
  readonly allowMissing: boolean;
}

/** Reads an origin, `https://*.example.org` for all below it, or `*` for all; undefined where it is none of these. */
export function parseOriginRule(text: string): OriginRule | undefined {
  if (text === '*') return () => true;
  const wildcard = /^(https?:\/\/)\*\.(.+)$/.exec(text);
  const origin = parseOrigin(wildcard ? `${wildcard[1]}${wildcard[2]}` : text);
  if (!origin) return undefined;
  if (!wildcard) return (other) => other.origin === origin.origin;
  const { protocol, port, hostname } = origin;
  return (other) => other.protocol === protocol && other.port === port && other.hostname.endsWith(`.${hostname}`);
}

/** Decides whose pages may connect and fetch, by the `Origin` that browsers send along. */
export class Origins {
  readonly #config: OriginConfig;

  constructor(config: OriginConfig) {
    this.#config = config;
  }

  /** Whether a request with this `Origin` (empty for none) to this `Host` may be served. */
  mayConnect(origin: string, host: string): boolean {
    return origin === '' ? this.#config.allowMissing : this.#isAllowed(origin, host);
  }

  /** What lets the page read the answer, as headers (Fetch standard, section "CORS protocol"). */
  corsHeaders(origin: string, host: string): Readonly<Record<string, string>> {
    const { allowed, sameHostOnly } = this.#config;
    if (allowed.length === 0 && !sameHostOnly) return { 'Access-Control-Allow-Origin': '*' };
    const varying = { Vary: 'Origin' };
    if (origin === '' || !this.#isAllowed(origin, host)) return varying;
    return { ...varying, 'Access-Control-Allow-Origin': origin };
  }

  #isAllowed(text: string, host: string): boolean {
    const { allowed, sameHostOnly } = this.#config;
    if (allowed.length === 0 && !sameHostOnly) return true;
    const origin = parseOrigin(text);
    if (!origin) return false; // "null" too: a sandboxed page or a file
    if (allowed.length > 0) return allowed.some((rule) => rule(origin));
    return origin.hostname === parseOrigin(`http://${host}`)?.hostname;
  }
}

function parseOrigin(text: string): URL | undefined {
  if (!/^https?:\/\/[^/?#@*\s]*[^/?#@*\s:]$/.test(text) || !URL.canParse(text)) return undefined;
  const origin = new URL(text);
  return /^\.|\.\./.test(origin.hostname) ? undefined : origin; // each part of a name has a letter at least
}
