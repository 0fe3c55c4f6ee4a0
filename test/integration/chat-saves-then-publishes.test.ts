import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../services/shared/errors.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { type RunningChat, startChat } from '../support/chat-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { freePort } from '../support/free-port.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { type RunningWebhook, startWebhook } from '../support/webhook-fixture.ts';

const ADA = { name: 'Ada', text: 'Hello' };

let broker: RecordingBroker;
let webhook: RunningWebhook;
const chats: RunningChat[] = [];

beforeEach(async () => {
  broker = new RecordingBroker();
  const secrets = [parseSigningSecret(`${WEBHOOK_SECRET}@chat`)] as SigningCredential[];
  webhook = await startWebhook({ broker, config: { secrets } });
});
afterEach(async () => {
  for (const chat of chats.splice(0)) await chat.stop();
  await webhook.stop();
});

async function start(options: Parameters<typeof startChat>[0] = {}): Promise<RunningChat> {
  const chat = await startChat({ webhookUrl: `${webhook.url}/webhook`, ...options });
  chats.push(chat);
  return chat;
}

async function metric(chat: RunningChat, name: string): Promise<number> {
  const values = (await chat.registry.getSingleMetric(name)?.get())?.values ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}

describe('a comment', () => {
  it('limits the comments of an address, IPv6 by /64, and keeps the draft of a form', async () => {
    const chat = await start({ env: { COMMENT_RATE: '2', TRUSTED_PROXIES: '127.0.0.1' } });
    const post = (address: string, headers: Record<string, string> = {}) =>
      fetch(`${chat.url}/comments`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': address, ...headers },
        body: new URLSearchParams({ name: 'Ada', text: 'one of many' }),
      });
    for (const address of ['2001:db8::1', '2001:db8::2', '203.0.113.1']) expect((await post(address)).status).toBe(201);
    const refused = await post('2001:db8::3');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await expectProblem(refused, 429, 'rate_limited');
    const page = await post('2001:db8::3', { accept: 'text/html' });
    expect(page.status).toBe(429);
    expect(await page.text()).toMatch(/one of many[\s\S]*Too many comments from your address/);
    expect((await chat.comments()).comments).toHaveLength(3);
  });

  it('is saved, then published, and the answer says so', async () => {
    const chat = await start();
    const response = await chat.post(ADA);
    expect(response.status).toBe(201);
    const { comment, published } = await response.json();
    expect(comment).toEqual({ id: expect.any(Number), ...ADA });
    expect(Math.abs(Date.now() - comment.id / 1000)).toBeLessThan(60_000);
    expect(published).toBe(true);
    expect(broker.published.map(({ topic, body }) => [topic, body])).toEqual([['chat', {}]]);
    expect(await chat.comments()).toEqual({ comments: [comment], complete: true });
  });

  it('is saved before it is published', async () => {
    let seen: unknown;
    class ReadingBroker extends RecordingBroker {
      override async publish(...args: Parameters<RecordingBroker['publish']>) {
        seen = (await chat.comments()).comments;
        return super.publish(...args);
      }
    }
    const reading = await startWebhook({ broker: new ReadingBroker() });
    const chat = await start({ webhookUrl: `${reading.url}/webhook` });
    const { comment } = await (await chat.post(ADA)).json();
    expect(seen).toEqual([comment]);
    await reading.stop();
  });

  it.each([
    ['with a signature', { WEBHOOK_TOKEN: '', WEBHOOK_SECRET }],
    ['with a token', { WEBHOOK_TOKEN }],
  ])('is published %s', async (_, env) => {
    const chat = await start({ env });
    expect(await (await chat.post(ADA)).json()).toMatchObject({ published: true });
  });

  it('is published to the configured topic', async () => {
    const chat = await start({ env: { CHAT_TOPIC: 'chat/lobby' } });
    await chat.post(ADA);
    expect(broker.published.map(({ topic }) => topic)).toEqual(['chat/lobby']);
  });

  it('that cannot be published is kept, the answer says so, and it is published later', async () => {
    const chat = await start({ config: { webhookTimeoutMs: 300 } });
    broker.failWith = new AppError('broker_unavailable');
    const response = await chat.post(ADA);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ comment: ADA, published: false });
    expect((await chat.comments()).comments).toMatchObject([ADA]);
    expect(await chat.page()).toContain('the webhook does not answer');
    expect(await metric(chat, 'chat_publish_pending')).toBe(1);
    broker.failWith = undefined;
    await eventually(() => expect(broker.published).toHaveLength(1));
    await eventually(async () => expect(await metric(chat, 'chat_publish_pending')).toBe(0));
    expect(await chat.page()).not.toContain('the webhook does not answer');
  });

  it('is published when the webhook starts later', async () => {
    const port = await freePort();
    const chat = await start({
      webhookUrl: `http://127.0.0.1:${port}/webhook`,
      config: { webhookTimeoutMs: 200 },
    });
    const answers = await Promise.all([chat.post(ADA), chat.post(ADA), chat.post(ADA)]);
    for (const answer of answers) expect(await answer.json()).toMatchObject({ published: false });
    const late = await startWebhook({ broker, config: { port } });
    await eventually(() => expect(broker.published).toHaveLength(1));
    expect(await (await chat.post(ADA)).json()).toMatchObject({ published: true });
    expect(broker.published).toHaveLength(2);
    await late.stop();
  });

  it('rejected by the webhook is logged once, without the credential', async () => {
    const chat = await start({ env: { WEBHOOK_TOKEN: 'hunter2-hunter2-hunter2' } });
    expect(await (await chat.post(ADA)).json()).toMatchObject({ published: false });
    expect(await (await chat.post(ADA)).json()).toMatchObject({ published: false });
    expect(chat.log).toHaveLength(1);
    expect(chat.log[0]).toMatch(/401/);
    expect(chat.log[0]).not.toMatch(/hunter2/);
    expect(await metric(chat, 'chat_webhook_calls_total')).toBe(2);
  });
});

describe('a restarted chat', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-chat-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('still has its comments, and publishes those that its predecessor could not', async () => {
    const env = { CHAT_DB: join(folder, 'chat.db') };
    const first = await startChat({ env, config: { webhookTimeoutMs: 100 } });
    const { comment, published } = await (await first.post(ADA)).json();
    expect(published).toBe(false);
    await first.stop();
    const second = await start({ env });
    expect((await second.comments()).comments).toEqual([comment]);
    await eventually(() => expect(broker.published).toHaveLength(1));
  });

  it('publishes nothing if nothing is pending', async () => {
    const env = { CHAT_DB: join(folder, 'chat.db') };
    const first = await start({ env });
    await first.post(ADA);
    await first.stop();
    const second = await start({ env });
    await second.post(ADA);
    expect(broker.published).toHaveLength(2);
  });
});

describe('GET /comments', () => {
  it('returns the comments after the given one', async () => {
    const chat = await start();
    const written = [];
    for (const text of ['one', 'two', 'three'])
      written.push((await (await chat.post({ ...ADA, text })).json()).comment);
    expect(await chat.comments(written[0].id)).toEqual({ comments: [written[2], written[1]], complete: true });
    expect(await chat.comments(written[2].id)).toEqual({ comments: [], complete: true });
  });

  it('returns at most the newest 20, and says that there are more', async () => {
    const chat = await start();
    await Promise.all(Array.from({ length: 25 }, (_, n) => chat.post({ ...ADA, text: `number ${n}` })));
    const batch = await chat.comments(0);
    expect(batch.comments).toHaveLength(20);
    expect(batch.complete).toBe(false);
    expect((await chat.page()).match(/<li class="comment"/g)).toHaveLength(20 + 1); // and the template
  });
});

describe('many comments at once', () => {
  it('are published by one more call after the one in progress', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    class GatedBroker extends RecordingBroker {
      override async publish(...args: Parameters<RecordingBroker['publish']>) {
        await gate;
        return super.publish(...args);
      }
    }
    const gated = new GatedBroker();
    const slow = await startWebhook({ broker: gated });
    const chat = await start({ webhookUrl: `${slow.url}/webhook`, config: { webhookTimeoutMs: 15_000 } });
    const answers = Array.from({ length: 50 }, () => chat.post(ADA));
    await eventually(async () => expect(await metric(chat, 'chat_comments_total')).toBe(50));
    expect(await metric(chat, 'chat_publish_pending')).toBe(1);
    open();
    for (const answer of await Promise.all(answers)) expect(await answer.json()).toMatchObject({ published: true });
    expect(gated.published).toHaveLength(2);
    expect(await metric(chat, 'chat_publish_pending')).toBe(0);
    await slow.stop();
  });
});
