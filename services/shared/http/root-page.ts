import { createHash } from 'node:crypto';
import { readPackageVersion } from '../package-version.ts';
import { Html, html } from './html.ts';

/** A path of a port. */
export interface RootLink {
  /** Path, or a URL. */
  readonly href: string;
  readonly text: string;
  /** True if a browser cannot open it, such as a path with a parameter. */
  readonly isCall?: boolean;
}

/** What a port serves, for its root. */
export interface RootDescription {
  readonly service: string;
  /** One sentence. */
  readonly text: string;
  readonly links: readonly RootLink[];
}

/** The response of a root. */
export interface RootResponse {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const STYLE = `:root{color-scheme:light dark;--ground:#f7f3ec;--card:#fff;--ink:#211b14;--faint:#675e52;--line:#e2d9cb;--accent:#a34a06}
@media (prefers-color-scheme:dark){:root{--ground:#15120e;--card:#1f1b16;--ink:#f2ece2;--faint:#b3a898;--line:#38322a;--accent:#f3a247}}
*{box-sizing:border-box}
body{max-width:44rem;margin:0 auto;padding:clamp(1.25rem,6vw,4rem) clamp(1rem,4vw,2rem);background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.5rem;letter-spacing:-.015em}
h1 span,p,dd{color:var(--faint)}
h1 span{font-weight:400}
p{margin:.5rem 0 1.5rem}
dl{margin:0;border:1px solid var(--line);border-radius:.875rem;background:var(--card);overflow:hidden}
div{padding:.75rem 1.125rem}
div+div{border-top:1px solid var(--line)}
dt{font:.9375rem ui-monospace,monospace;overflow-wrap:anywhere}
dd{margin:.125rem 0 0}
a{color:var(--accent);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:.125rem}
footer{margin-top:1.5rem;color:var(--faint);font-size:.875rem}`;

/** The page has its style inside, since relays serve no style sheets, and loads nothing else. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Returns the response of the root of a port, which says what it is: a page for browsers, and JSON for anything else.
 *
 * @param accept the `Accept` header of the request
 */
export function renderRoot(description: RootDescription, accept: string): RootResponse {
  const isPage = prefersHtml(accept);
  const body = isPage ? renderPage(description) : renderJson(description);
  return {
    body,
    headers: {
      'Content-Type': isPage ? 'text/html; charset=utf-8' : 'application/json',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache',
      Vary: 'Accept',
    },
  };
}

/** Returns whether a client names HTML, and does not prefer JSON. Browsers do; programs accept anything. */
export function prefersHtml(accept: string): boolean {
  const qualityOf = (type: string) =>
    accept
      .toLowerCase()
      .split(',')
      .map((item) => item.split(';').map((part) => part.trim()))
      .filter(([name]) => name === type)
      .map((parts) => Number(parts.find((part) => part.startsWith('q='))?.slice(2) ?? 1))
      .reduce((best, quality) => Math.max(best, quality), 0);
  return qualityOf('text/html') > 0 && qualityOf('text/html') >= qualityOf('application/json');
}

function renderJson({ service, text, links }: RootDescription): string {
  const named = Object.fromEntries(links.map(({ href, text: about }) => [href, about]));
  return JSON.stringify({
    name: 'heliograph',
    service,
    version: readPackageVersion(),
    description: text,
    links: named,
  });
}

function renderPage({ service, text, links }: RootDescription): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Heliograph ${service}</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>Heliograph <span>${service}</span></h1>
<p>${text}</p>
<dl>
${links.map(renderLink)}</dl>
</main>
<footer>Version ${readPackageVersion()}</footer>
</body>
</html>
`.text;
}

function renderLink({ href, text, isCall = false }: RootLink): Html {
  return html`<div><dt>${isCall ? href : html`<a href="${href}">${href}</a>`}</dt><dd>${text}</dd></div>
`;
}
