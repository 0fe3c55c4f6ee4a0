import { describe, expect, it } from 'vitest';
import { Publisher, versionHeaders } from '../../services/client/publisher.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { eventually } from '../support/eventually.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { startRelay } from '../support/relay-fixture.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

describe('a publisher on a webhook', () => {
  it.each([
    ['signs its calls', { secret: WEBHOOK_SECRET }],
    ['sends its token', { token: WEBHOOK_TOKEN }],
  ])('%s, and receives the versions', async (_, credentials) => {
    const broker = new RecordingBroker();
    const secrets = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];
    const webhook = await startWebhook({ broker, config: { secrets } });
    const publisher = new Publisher({ url: `${webhook.url}/webhook`, ...credentials });
    expect(await publisher.publish('chat')).toEqual([{ topic: 'chat', version: 1, previous: 0 }]);
    const updates = await publisher.publish(['a', 'b'], { data: { n: 1 }, spread: 250 });
    expect(updates.map(({ topic }) => topic)).toEqual(['a', 'b']);
    expect(broker.published.at(-1)?.body).toEqual({ data: '{"n":1}', spread: 250 });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await publisher.publish('chat', {}, { traceparent });
    expect(broker.published.at(-1)?.body).toEqual({ traceparent });
    await webhook.stop();
  });

  it.each([
    ['signed', { secret: WEBHOOK_SECRET }],
    ['with a token', { token: WEBHOOK_TOKEN }],
  ])('reads the versions that relays have of topics, %s', async (_, credentials) => {
    const relay = await startRelay();
    const secrets = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];
    const webhook = await startWebhook({ broker: relay.broker, config: { secrets } });
    const publisher = new Publisher({ url: `${webhook.url}/webhook`, ...credentials });
    const updates = await publisher.publish(['a', 'b']);
    const client = await relay.connect('/ws');
    client.send({ type: 'subscribe', topics: { new: null, b: null, a: null } });
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const topics: Record<string, number> = client.ofType('subscribed')[0].topics;
    const versions = await publisher.versions(['new', 'a', 'b']);
    expect(Object.fromEntries(versions.map(({ topic, version }) => [topic, version]))).toEqual(topics);
    expect(await publisher.versions('b')).toEqual([{ topic: 'b', version: updates[1]?.version }]);
    const [{ version = 0, previous = 0 } = {}] = await publisher.publish('new');
    expect(previous).toBeLessThanOrEqual(topics.new ?? 0);
    expect(versionHeaders([{ topic: 'new', version, previous }, ...(await publisher.versions('b'))])).toEqual({
      'Heliograph-Version': `new=${version};previous=${previous}, b=${updates[1]?.version}`,
    });
    expect(versionHeaders([])).toEqual({ 'Heliograph-Version': '' });
    await webhook.stop();
    await relay.stop();
  });

  it('is refused versions without topics, with invalid ones, and with those that it may not publish', async () => {
    const secrets = [parseSigningSecret(`${WEBHOOK_SECRET}@chat/*`)] as SigningCredential[];
    const webhook = await startWebhook({ config: { secrets } });
    const publisher = new Publisher({ url: `${webhook.url}/webhook`, secret: WEBHOOK_SECRET });
    await expect(publisher.versions([])).rejects.toMatchObject({ status: 400, code: 'invalid_request' });
    await expect(publisher.versions(['chat/1', 'a b'])).rejects.toMatchObject({ status: 400, code: 'invalid_topic' });
    await expect(publisher.versions(['chat/1', 'news'])).rejects.toMatchObject({
      status: 403,
      code: 'topic_forbidden',
    });
    await expect(publisher.versions(Array.from({ length: 101 }, (_, i) => `chat/${i}`))).rejects.toMatchObject({
      code: 'too_many_topics',
    });
    expect((await fetch(`${webhook.url}/updates/current?topic=chat`)).status).toBe(401);
    await webhook.stop();
  });

  it('waits until an update is delivered, and rejects if it is not in time', async () => {
    const broker = new RecordingBroker();
    broker.relays = ['relay'];
    const webhook = await startWebhook({ broker });
    const publisher = new Publisher({ url: `${webhook.url}/webhook`, token: WEBHOOK_TOKEN });
    const call = () => publisher.publish('chat', {}, { deliveredWithinMs: 300 });
    await expect(call()).rejects.toMatchObject({ name: 'PublishError', status: 202 });
    broker.receipts.onQuery((question) => void broker.receipts.reply(question, 'relay', [undefined]));
    expect(await call()).toEqual([{ topic: 'chat', version: 2, previous: 1 }]);
    await webhook.stop();
  });
});
