import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

describe('a client on /ws', () => {
  let relay: RelayFixture;
  beforeEach(async () => {
    relay = await startRelay();
  });
  afterEach(() => relay.stop());

  it('receives updates of the topic in its URL, with data, and no others', async () => {
    const client = await relay.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    await relay.publish('other');
    const version = await relay.publish('chat', { data: { n: 1 }, spread: 20, traceparent: '00-secret' });
    await eventually(() =>
      expect(client.ofType('update')).toEqual([{ type: 'update', topic: 'chat', version, data: { n: 1 }, spread: 20 }]),
    );
  });

  it('subscribes and unsubscribes by message', async () => {
    const client = await relay.connect('/ws');
    client.send({ type: 'subscribe', topics: { a: null, b: null } });
    await eventually(() => expect(Object.keys(client.ofType('subscribed')[0]?.topics ?? {})).toEqual(['a', 'b']));
    client.send({ type: 'unsubscribe', topics: ['a'] });
    client.send({ type: 'ping' });
    await eventually(() => expect(client.ofType('pong')).toHaveLength(1));
    await relay.publish('a');
    await relay.publish('b');
    await eventually(() => expect(client.ofType('update').map((update) => update.topic)).toEqual(['b']));
  });

  it('gets a version for a topic that was never published, the same each time, and below the first update', async () => {
    const [one, two] = [await relay.connect('/ws?topic=new'), await relay.connect('/ws?topic=new')];
    await eventually(() => expect(two.ofType('subscribed')).toHaveLength(1));
    const number = one.ofType('subscribed')[0].topics.new;
    expect(number).toBeGreaterThan(0);
    expect(two.ofType('subscribed')[0].topics.new).toBe(number);
    expect(await relay.publish('new')).toBeGreaterThan(number);
  });

  it('receives topics that changed since its versions on connecting, and none that did not', async () => {
    const before = await relay.publish('a', { data: 'old' });
    const same = await relay.publish('b');
    const version = await relay.publish('a', { data: 'new' });
    const client = await relay.connect(`/ws?topic=a&topic=b&since=${before},${same}`);
    await eventually(() => expect(client.messages).toHaveLength(2));
    expect(client.messages).toEqual([
      { type: 'subscribed', topics: { a: version, b: same } },
      { type: 'update', topic: 'a', version, data: 'new' },
    ]);
    client.send({ type: 'ping' });
    await eventually(() => expect(client.messages).toHaveLength(3));
  });

  it('is notified if it sends an impossible version', async () => {
    const version = await relay.publish('a');
    const client = await relay.connect(`/ws?topic=a&since=${Number.MAX_SAFE_INTEGER}`);
    await eventually(() => expect(client.ofType('update')).toEqual([{ type: 'update', topic: 'a', version }]));
  });

  it('gets the newest of several updates within one turn, once per topic', async () => {
    const client = await relay.connect('/ws?topic=a&topic=b');
    await eventually(() => expect(client.ofType('subscribed').length).toBeGreaterThan(0));
    const versions = await Promise.all([1, 2, 3].map((n) => relay.publish('a', { data: n })));
    await eventually(() => expect(client.ofType('update').at(-1)?.version).toBe(versions[2]));
    expect(client.ofType('update').length).toBeLessThanOrEqual(versions.length);
    expect(client.ofType('update').at(-1)?.data).toBe(3);
  });
});

describe('a legacy client on /update_check', () => {
  let relay: RelayFixture;
  beforeEach(async () => {
    relay = await startRelay({ env: { DEFAULT_TOPIC: 'page' } });
  });
  afterEach(() => relay.stop());

  it('receives UPDATED and nothing else, and may send NOOP', async () => {
    const client = await relay.connect('/update_check');
    client.send('NOOP');
    await eventually(() => expect(relay.relay.hub.subscribers('page' as never)).toBe(1));
    await eventually(() => expect(relay.relay.hub.isFresh('page' as never)).toBe(true));
    await relay.publish('page', { data: 1 });
    await eventually(() => expect(client.texts).toEqual(['UPDATED']));
    await relay.publish('page');
    await eventually(() => expect(client.texts).toEqual(['UPDATED', 'UPDATED']));
    expect(client.closed).toBeUndefined();
  });

  it('is notified once if it connects just after an update, since it cannot send its version', async () => {
    await relay.publish('page');
    const client = await relay.connect('/update_check');
    await eventually(() => expect(client.texts).toEqual(['UPDATED']));
  });

  it('is not notified on connecting if the topic has not changed recently, or it sends the current version', async () => {
    const version = await relay.publish('page');
    const [resumed, newcomer] = [
      await relay.connect(`/update_check?since=${version}`),
      await relay.connect('/update_check?topic=quiet'),
    ];
    await relay.publish('marker');
    const marker = await relay.connect('/update_check?topic=marker');
    await eventually(() => expect(marker.texts).toEqual(['UPDATED']));
    expect([resumed.texts, newcomer.texts]).toEqual([[], []]);
  });
});
