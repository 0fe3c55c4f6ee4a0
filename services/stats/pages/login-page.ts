import { html } from '../../shared/http/html.ts';
import { renderLayout } from './layout.ts';

/** Renders the login form; `next` is the path to return to. */
export function renderLoginPage(page: { next: string; error: string }): string {
  const body = html`<section class="card narrow">
<h1>Log in</h1>
<p class="faint">These pages show what the cluster does. Enter the value of <code>STATS_TOKEN</code>.</p>
<form action="/stats/login" method="post">
<input type="hidden" name="next" value="${page.next}">
<input name="username" value="statistics" autocomplete="username" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" required autocomplete="current-password" autofocus${page.error === '' ? html`` : html` aria-invalid="true" aria-describedby="error"`}>
<p class="error" id="error" role="alert">${page.error}</p>
<button>Log in</button>
</form>
</section>`;
  return renderLayout({ title: 'Log in · Heliograph', head: html``, body });
}
