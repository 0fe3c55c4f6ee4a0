import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { startStats } from '../support/stats-fixture.ts';

const TOKEN = 'the-token-of-these-tests';

let running: Awaited<ReturnType<typeof startStats>> | undefined;
const start = async (env: Record<string, string> = { STATS_TOKEN: TOKEN }) => {
  running = await startStats(env);
  return running;
};
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function logIn(url: string, token: string, headers: Record<string, string> = {}, next = '/stats'): Promise<Response> {
  return fetch(`${url}/stats/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ token, next }),
    redirect: 'manual',
  });
}

const page = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('the statistics pages', () => {
  it.each([[{}], [{ STATS_TOKEN: '' }], [{ STATS_TOKEN: TOKEN, STATS_SAMPLE_RATE: '0' }]])(
    'do not exist with %j',
    async (env) => {
      const { url } = await start(env);
      for (const path of [
        '/stats',
        '/stats/login',
        '/stats/stats.css',
        '/stats/traces/0af7651916cd43dd8448eb211c80319c',
      ]) {
        await expectProblem(await fetch(`${url}${path}`), 404, 'not_found');
      }
      expect((await fetch(`${url}/livez`)).status).toBe(200);
    },
  );

  it('leave other paths of the admin port alone', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('stats_store_traces');
    for (const path of ['/statsandmore', '/stat']) await expectProblem(await fetch(`${url}${path}`), 404, 'not_found');
  });

  it('accept the bearer token, and no other', async () => {
    const { url, get } = await start();
    const good = await get('/stats');
    expect(good.status).toBe(200);
    expect(good.headers.get('content-type')).toContain('application/json');
    expect(await good.json()).toMatchObject({ traces: [], relays: 0, kept: 0 });
    for (const authorization of [
      'Bearer wrong',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Basic ${TOKEN}`,
    ]) {
      await expectProblem(await fetch(`${url}/stats`, { headers: { authorization } }), 401, 'unauthorized');
    }
    const anonymous = await fetch(`${url}/stats`);
    expect(anonymous.headers.get('www-authenticate')).toContain('Bearer');
    await expectProblem(anonymous, 401, 'unauthorized');
  });

  it('redirect a browser to the login form, and then back with a cookie for these pages only', async () => {
    const { url } = await start();
    const wanted = '/stats?topic=chat';
    const sent = await fetch(`${url}${wanted}`, { headers: page, redirect: 'manual' });
    expect([sent.status, sent.headers.get('location')]).toEqual([
      303,
      `/stats/login?next=${encodeURIComponent(wanted)}`,
    ]);
    const form = await fetch(`${url}${sent.headers.get('location')}`, { headers: page });
    expect(form.status).toBe(200);
    expect(await form.text()).toContain(`<input type="hidden" name="next" value="${wanted}">`);

    const answer = await logIn(url, TOKEN, {}, wanted);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, wanted]);
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^heliograph_stats=[^;]+; Max-Age=43200; Path=\/stats; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(TOKEN);
    const [pair = ''] = cookie.split(';');
    expect((await fetch(`${url}/stats`, { headers: { ...page, cookie: `a=b; ${pair}; c=d` } })).status).toBe(200);

    // The cookie is valid on another process with the same token.
    const other = await startStats({ STATS_TOKEN: TOKEN });
    expect((await fetch(`${other.url}/stats`, { headers: { cookie: pair } })).status).toBe(200);
    await other.stop();
    const unrelated = await startStats({ STATS_TOKEN: 'another-token-of-the-tests' });
    expect((await fetch(`${unrelated.url}/stats`, { headers: { cookie: pair } })).status).toBe(401);
    await unrelated.stop();

    const again = ((await logIn(url, TOKEN)).headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const logOut = { method: 'POST', headers: { cookie: pair }, redirect: 'manual' } as const;
    const left = await fetch(`${url}/stats/logout`, logOut);
    expect(left.headers.get('set-cookie')).toMatch(/^heliograph_stats=; Max-Age=0; Path=\/stats;/);
    // A copy of the cookie is of no use any more; another login is.
    expect((await fetch(`${url}/stats`, { headers: { cookie: pair } })).status).toBe(401);
    expect((await fetch(`${url}/stats`, { headers: { cookie: again } })).status).toBe(200);
  });

  it('reject a forged, changed or expired cookie', async () => {
    const { url } = await start();
    const [, expires = '', id = '', signature = ''] =
      /heliograph_stats=(\d+)\.([^.;]+)\.([^;]+)/.exec((await logIn(url, TOKEN)).headers.get('set-cookie') ?? '') ?? [];
    const forged = [
      `${Number(expires) + 1}.${id}.${signature}`,
      `${expires}.${id}x.${signature}`,
      `${expires}.${id}.${signature}x`,
      `${expires}.${id}.`,
      `${expires}.${signature}`,
      '.',
      '',
      '1.1',
      `1.${signature}`,
    ];
    for (const value of forged) {
      const answer = await fetch(`${url}/stats`, { headers: { cookie: `heliograph_stats=${value}` } });
      expect(answer.status, value).toBe(401);
    }
  });

  it('redirect to no other site after a login', async () => {
    const { url } = await start();
    for (const next of [
      'https://example.org/',
      '//example.org',
      '/\\example.org',
      '/statsx',
      '/stats\r\nX: y',
      '/stats@example.org',
      '',
    ]) {
      expect((await logIn(url, TOKEN, {}, next)).headers.get('location'), next).toBe('/stats');
    }
  });

  it('limit wrong tokens: after ten an address must wait', async () => {
    const { url, get } = await start();
    for (let i = 0; i < 5; i += 1) expect((await logIn(url, `guess ${i}`)).status).toBe(401);
    for (let i = 0; i < 5; i += 1) {
      expect((await fetch(`${url}/stats`, { headers: { authorization: `Bearer guess${i}` } })).status).toBe(401);
    }
    await expectProblem(await logIn(url, 'one more'), 429, 'rate_limited');
    // The right one is too long to be guessed, and a stranger behind the same address must not lock its owner out.
    expect((await get('/stats')).status).toBe(200);
    expect((await logIn(url, TOKEN)).status).toBe(303);
  });

  it('count wrong tokens by the address of the client behind trusted proxies, IPv6 by /64', async () => {
    const { url } = await start({ STATS_TOKEN: TOKEN, TRUSTED_PROXIES: '127.0.0.1' });
    const guess = (address: string) => logIn(url, 'a guess', { 'x-forwarded-for': address });
    for (let i = 0; i < 10; i += 1) expect((await guess(`2001:db8:1:2::${i}`)).status).toBe(401);
    await expectProblem(await guess('2001:db8:1:2:ffff::1'), 429, 'rate_limited');
    expect((await guess('2001:db8:1:3::1')).status).toBe(401);
    expect((await guess('203.0.113.1')).status).toBe(401);
    const direct = await start();
    for (let i = 0; i < 10; i += 1) await logIn(direct.url, 'a guess', { 'x-forwarded-for': `203.0.113.${i}` });
    await expectProblem(await logIn(direct.url, 'a guess', { 'x-forwarded-for': '203.0.113.99' }), 429, 'rate_limited');
  });

  it('limit tries of all addresses, so that a flood costs little', async () => {
    const { url } = await start({ STATS_TOKEN: TOKEN, TRUSTED_PROXIES: '127.0.0.1' });
    const guesses = Array.from({ length: 300 }, (_, i) => logIn(url, 'a guess', { 'x-forwarded-for': `203.0.${i}.1` }));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(statuses).toContain(429);
    await eventually(async () => expect((await logIn(url, TOKEN)).status).toBe(303));
  });

  it.each<[string, Record<string, string>]>([
    ['a proxy that says so', { 'x-forwarded-proto': 'https' }],
    ['the origin of the page', { origin: 'https://stats.example.org', 'sec-fetch-site': 'same-origin' }],
  ])('give browsers with TLS a cookie for TLS only: %s', async (_, headers) => {
    const { url } = await start();
    expect((await logIn(url, TOKEN, headers)).headers.get('set-cookie')).toMatch(/; Secure$/);
  });

  it('reject requests from other sites', async () => {
    const { url } = await start();
    const answer = await logIn(url, TOKEN, { origin: 'https://example.org' });
    await expectProblem(answer, 403, 'origin_forbidden');
    expect(answer.headers.get('set-cookie')).toBeNull();
    const crossSite = await fetch(`${url}/stats/logout`, {
      method: 'POST',
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    await expectProblem(crossSite, 403, 'origin_forbidden');
  });

  it('reject unknown paths, methods and large bodies', async () => {
    const { url, get } = await start();
    await expectProblem(await get('/stats/nothing'), 404, 'not_found');
    await expectProblem(await get('/stats/traces/nothing'), 404, 'not_found');
    await expectProblem(await get(`/stats/traces/${'0'.repeat(32)}`), 404, 'not_found');
    const posted = await fetch(`${url}/stats`, { method: 'POST' });
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
    await expectProblem(posted, 405, 'method_not_allowed');
    const large = await logIn(url, 'x'.repeat(10_000));
    await expectProblem(large, 413, 'body_too_large');
    // Browsers get a page.
    const words = await get(`/stats/traces/${'0'.repeat(32)}`, page);
    expect(words.status).toBe(404);
    expect(await words.text()).toContain('This trace does not exist, or is no longer stored');
  });

  it('run only their own script, and cannot be cached or framed', async () => {
    const { get } = await start();
    for (const path of ['/stats', '/stats/login', '/stats/nothing']) {
      const { headers } = await get(path, page);
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).toContain("style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).not.toContain('unsafe');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
    }
    const style = await get('/stats/stats.css');
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });
});
