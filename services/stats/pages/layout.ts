import { type Html, html } from '../../shared/http/html.ts';

/**
 * Renders a complete page.
 *
 * @param page.script path of a script besides that of all pages
 * @param page.section shown beside the name
 * @param page.refreshS interval of its automatic refresh, in seconds; 0 for none. Without its script, the page reloads
 */
export function renderLayout(page: {
  title: string;
  head: Html;
  body: Html;
  refreshS?: number;
  script?: string;
  section?: string;
}): string {
  const { refreshS = 0, script, section = 'call statistics' } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${page.title}</title>
<link rel="icon" href="/stats/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/stats/stats.css">
<script type="module" src="/stats/stats.js"></script>
${script === undefined ? html`` : html`<script type="module" src="${script}"></script>\n`}${refreshS > 0 ? html`<noscript><meta http-equiv="refresh" content="${refreshS}"></noscript>\n` : html``}</head>
<body data-refresh="${refreshS}">
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<p class="brand"><a href="/stats"><img src="/stats/icon.svg" alt="" width="28" height="28">Heliograph <span>${section}</span></a></p>
${page.head}
</header>
<main id="main">
${page.body}
</main>
</body>
</html>
`.text;
}

/** Renders the menu of a page that requires a login. */
export function renderMenu(links: readonly { href: string; text: string }[]): Html {
  return html`<nav class="menu" aria-label="This page">
<span data-live="menu">${links.map(({ href, text }) => html`<a href="${href}">${text}</a>\n`)}</span><form action="/stats/logout" method="post"><button class="quiet">Log out</button></form>
</nav>`;
}

/** Renders a page with a single message. */
export function renderNotice(notice: { title: string; text: string }): string {
  const body = html`<section class="card narrow">
<h1>${notice.title}</h1>
<p>${notice.text}</p>
<p><a href="/stats">Back to the dashboard</a></p>
</section>`;
  return renderLayout({ title: `${notice.title} · Heliograph`, head: html``, body });
}

/** Returns the CSS class with the colour of a service. */
export function serviceClass(service: string): string {
  return ['chat', 'webhook', 'redis', 'relay', 'memory'].includes(service) ? `lane-${service}` : 'lane-other';
}
