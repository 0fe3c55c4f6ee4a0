/** Matches origins. */
export interface OriginRule {
  matches(origin: string): boolean;
  /** Whether pages may send cookies: only if the rule names a site. */
  readonly allowsCredentials: boolean;
}

/** The origins whose pages may connect. */
export interface OriginConfig {
  /** If empty, `sameHostOnly` decides. */
  readonly allowed: readonly OriginRule[];
  readonly sameHostOnly: boolean;
  /** Whether requests without `Origin` are allowed: from clients that are no browsers. */
  readonly allowMissing: boolean;
}

/**
 * Parses an origin, `https://*.example.org` for all its subdomains, or `*` for all origins. An origin may also be `null`, or
 * have the scheme of an app, as `capacitor://localhost`. Returns undefined if it is invalid.
 */
export function parseOriginRule(text: string): OriginRule | undefined {
  if (text === '*') return { matches: () => true, allowsCredentials: false };
  const wildcard = /^(https?:\/\/)\*\.(.+)$/.exec(text);
  if (wildcard) return parseSubdomainRule(`${wildcard[1]}${wildcard[2]}`);
  const origin = normalizeOrigin(text);
  if (origin === undefined) return undefined;
  // Any sandboxed page has the origin `null`, and any file `file://`.
  const namesSite = origin !== 'null' && !origin.endsWith('//');
  return { matches: (other) => normalizeOrigin(other) === origin, allowsCredentials: namesSite };
}

function parseSubdomainRule(text: string): OriginRule | undefined {
  const origin = parseWebOrigin(text);
  if (!origin) return undefined;
  const { protocol, port, hostname } = origin;
  const matches = (other: string) => {
    const site = parseWebOrigin(other);
    return site?.protocol === protocol && site.port === port && site.hostname.endsWith(`.${hostname}`);
  };
  return { matches, allowsCredentials: true };
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
    const headers = { ...varying, 'Access-Control-Allow-Origin': origin };
    const allowsCredentials = allowed.some((rule) => rule.allowsCredentials && rule.matches(origin));
    return allowsCredentials ? { ...headers, 'Access-Control-Allow-Credentials': 'true' } : headers;
  }

  #isAllowed(origin: string, host: string): boolean {
    const { allowed, sameHostOnly } = this.#config;
    if (allowed.length > 0) return allowed.some((rule) => rule.matches(origin));
    if (!sameHostOnly) return true;
    const page = parseWebOrigin(origin);
    return page !== undefined && page.hostname === parseWebOrigin(`http://${host}`)?.hostname;
  }
}

/** The origin of an app's pages: a scheme of its own, often without a host. Pages of these other schemes do not exist. */
const APP_ORIGIN = /^(?!(?:https?|wss?|ftp):)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]*(?::\d+)?$/i;

/** Returns a text that is the same for the same origin; undefined if it is invalid. */
function normalizeOrigin(text: string): string | undefined {
  if (text === 'null') return text;
  return APP_ORIGIN.test(text) ? text.toLowerCase() : parseWebOrigin(text)?.origin;
}

function parseWebOrigin(text: string): URL | undefined {
  if (!/^https?:\/\/[^/?#@*\s]*[^/?#@*\s:]$/.test(text) || !URL.canParse(text)) return undefined;
  const origin = new URL(text);
  return /^\.|\.\./.test(origin.hostname) ? undefined : origin; // empty labels are invalid
}
