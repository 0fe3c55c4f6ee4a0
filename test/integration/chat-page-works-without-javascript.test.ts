import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningChat, startChat } from '../support/chat-fixture.ts';
import { sendRaw } from '../support/raw-http.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

let webhook: RunningWebhook;
let chat: RunningChat;

beforeEach(async () => {
  webhook = await startWebhook({ broker: new RecordingBroker() });
  chat = await startChat({ webhookUrl: `${webhook.url}/webhook` });
});
afterEach(async () => {
  await chat.stop();
  await webhook.stop();
});

/** Posts a form as a browser without JavaScript does. */
function sendForm(fields: Record<string, string>): Promise<Response> {
  return fetch(`${chat.url}/comments`, {
    method: 'POST',
    headers: { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', origin: chat.url },
    body: new URLSearchParams(fields),
    redirect: 'manual',
  });
}

describe('the chat page', () => {
  it('contains the newest comments and the initial state of its script', async () => {
    const { comment } = await (await chat.post({ name: 'Ada', text: 'Hello' })).json();
    const response = await fetch(chat.url);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const page = await response.text();
    expect(page).toContain('Hello');
    expect(page).toContain(`data-id="${comment.id}"`);
    expect(page).toContain('data-relay="http://127.0.0.1:8080" data-topic="chat" data-version="1"');
  });

  it('accepts a comment from its form, and redirects to the page with the name filled in', async () => {
    const response = await sendForm({ name: 'Zoë & Co', text: 'a\r\nb' });
    expect(response.status).toBe(303);
    const location = response.headers.get('location') ?? '';
    expect(location).toBe('/?name=Zo%C3%AB%20%26%20Co');
    const page = await (await fetch(chat.url + location)).text();
    expect(page).toContain('value="Zoë &amp; Co"');
    expect(page).toContain('dir="auto">a\nb</p>');
  });

  it('shows what is wrong with a form, and keeps what was written', async () => {
    const response = await sendForm({ name: '', text: '\n</textarea><script>' });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const page = await response.text();
    expect(page).toContain('role="alert">Your name is empty</p>');
    expect(page).toContain('\n\n&lt;/textarea&gt;&lt;script&gt;</textarea>');
    expect((await chat.comments()).comments).toEqual([]);
  });

  it('returns JSON to a client that does not accept HTML', async () => {
    const response = await fetch(`${chat.url}/comments`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'Ada', text: 'Hi' }),
    });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ comment: { name: 'Ada', text: 'Hi' }, published: true });
  });

  it('shows hostile names and comments as text, in every place', async () => {
    const hostile = `"><img src=x onerror=alert(1)>`;
    await chat.post({ name: hostile, text: `</p><script>alert(2)</script>${hostile}` });
    const page = await (
      await fetch(`${chat.url}/?name=${encodeURIComponent(hostile)}&text=${encodeURIComponent(hostile)}`)
    ).text();
    expect(page).not.toMatch(/<img src=x|<script>alert/);
    expect(page).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;');
  });

  it('ignores an invalid Host header', async () => {
    const answer = await sendRaw(chat.port, "GET / HTTP/1.1\r\nHost: x'; script-src *\r\nConnection: close\r\n\r\n");
    expect(answer).toContain("script-src 'self' http://localhost:8080;");
    expect(answer).not.toContain('script-src *');
  });

  it('restricts itself to what it needs by Content Security Policy', async () => {
    const { headers } = await fetch(chat.url);
    expect(headers.get('content-security-policy')?.split(';')).toEqual([
      "default-src 'none'",
      "script-src 'self' http://127.0.0.1:8080",
      "connect-src 'self' http://127.0.0.1:8080 ws://127.0.0.1:8080",
      "style-src 'self'",
      "img-src 'self'",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ]);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('uses the configured relay', async () => {
    const other = await startChat({ env: { RELAY_PUBLIC_URL: 'https://push.example.org/heliograph/' } });
    const response = await fetch(other.url);
    expect(await response.text()).toContain('data-relay="https://push.example.org/heliograph"');
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self' https://push.example.org;");
    expect(policy).toContain("connect-src 'self' https://push.example.org wss://push.example.org;");
    await other.stop();
  });
});

describe('the static files of the page', () => {
  it.each([
    ['/chat.css', 'text/css; charset=utf-8'],
    ['/chat.js', 'text/javascript; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml'],
  ])('%s is served, and answered with 304 while unchanged', async (path, type) => {
    const response = await fetch(chat.url + path);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect((await response.text()).length).toBeGreaterThan(100);
    // Sent raw: `fetch` adds `Cache-Control: no-cache` to conditional requests.
    const ask = (tags: string) =>
      sendRaw(
        chat.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: ${tags}\r\nConnection: close\r\n\r\n`,
      );
    const etag = response.headers.get('etag') ?? '';
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*', etag.replace(/"$/, '-gzip"')]) {
      expect(await ask(tags), tags).toMatch(/^HTTP\/1\.1 304 /);
    }
    expect(await ask('"other"')).toMatch(/^HTTP\/1\.1 200 /);
  });
});
