import { expect, it } from 'vitest';
import { RecordingBroker } from '../support/recording-broker.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

it('a chat process publishes, counts, ends at SIGTERM, and never logs its token', async () => {
  const broker = new RecordingBroker();
  const webhook = await startWebhook({ broker });
  const chat = await startService('chat', { WEBHOOK_URL: `${webhook.url}/webhook`, WEBHOOK_TOKEN });
  const response = await fetch(`http://localhost:${chat.port}/comments`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'Ada', text: 'Hello' }),
  });
  expect(await response.json()).toMatchObject({ published: true });
  expect(broker.published).toHaveLength(1);
  expect(await chat.metric('chat_comments_total')).toBe(1);
  expect(await chat.stop()).toBe(0);
  expect(chat.log()).not.toContain(WEBHOOK_TOKEN);
  await webhook.stop();
});

it('a chat without a credential reports that with all other configuration problems, and exits', async () => {
  const starting = startService('chat', { CHAT_TOPIC: 'a b', RELAY_PUBLIC_URL: 'relay' });
  await expect(starting).rejects.toThrow(/ended with 1: 3 problems with the environment:\n( +[A-Z_]+ must .*\n){3}$/);
});

it('a chat whose database cannot be used reports that in one line, and exits', async () => {
  const starting = startService('chat', { WEBHOOK_TOKEN, CHAT_DB: '/nowhere/chat.db' });
  await expect(starting).rejects.toThrow(
    /could not start: chat: the database \/nowhere\/chat\.db cannot be used .*set CHAT_DB/,
  );
});
