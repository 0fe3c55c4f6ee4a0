/** Matches an origin. */
export type OriginRule = (origin: URL) => boolean;

/** The origins whose pages may connect. */
export interface OriginConfig {
  /** If empty, `sameHostOnly` decides. */
  readonly allowed: readonly OriginRule[];
  readonly sameHostOnly: boolean;
  /** Whether requests without `Origin` are allowed: from clients that are no browsers. */
  readonly allowMissing: boolean;
}

/** Parses an origin, `https://*.example.org` for all its subdomains, or `*` for all origins. Returns undefined if it is invalid. */
export function parseOriginRule(text: string): OriginRule | undefined {
  if (text === '*') return () => true;
  const wildcard = /^(https?:\/\/)\*\.(.+)$/.exec(text);
  const origin = parseOrigin(wildcard ? `${wildcard[1]}${wildcard[2]}` : text);
  if (!origin) return undefined;
  if (!wildcard) return (other) => other.origin === origin.origin;
  const { protocol, port, hostname } = origin;
  return (other) => other.protocol === protocol && other.port === port && other.hostname.endsWith(`.${hostname}`);
}

/** Origin control for WebSockets (`Origin`) and HTTP requests (CORS). */
export class Origins {
  readonly #config: OriginConfig;

  constructor(config: OriginConfig) {
    this.#config = config;
  }

  /** Whether a request with this `Origin` (empty if missing) to this `Host` is allowed. */
  mayConnect(origin: string, host: string): boolean {
    return origin === '' ? this.#config.allowMissing : this.#isAllowed(origin, host);
  }

  /** Returns the headers that allow the page to read the response (Fetch standard, section "CORS protocol"). */
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
    if (!origin) return false; // also "null", the origin of sandboxed pages and files
    if (allowed.length > 0) return allowed.some((rule) => rule(origin));
    return origin.hostname === parseOrigin(`http://${host}`)?.hostname;
  }
}

function parseOrigin(text: string): URL | undefined {
  if (!/^https?:\/\/[^/?#@*\s]*[^/?#@*\s:]$/.test(text) || !URL.canParse(text)) return undefined;
  const origin = new URL(text);
  return /^\.|\.\./.test(origin.hostname) ? undefined : origin; // empty labels are invalid
}
