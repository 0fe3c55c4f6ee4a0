import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

describe('a client on /ws', () => {
  let relay: RelayFixture;
  beforeEach(async () => {
    relay = await startRelay();
  });
  afterEach(() => relay.stop());

  it('is told of an update of the topic in its URL, with its data, and of nothing else', async () => {
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

  it('gets a number for a topic that was never published, the same each time, and below the first update', async () => {
    const [one, two] = [await relay.connect('/ws?topic=new'), await relay.connect('/ws?topic=new')];
    await eventually(() => expect(two.ofType('subscribed')).toHaveLength(1));
    const number = one.ofType('subscribed')[0].topics.new;
    expect(number).toBeGreaterThan(0);
    expect(two.ofType('subscribed')[0].topics.new).toBe(number);
    expect(await relay.publish('new')).toBeGreaterThan(number);
  });

  it('is told at once what changed while it was away, and nothing of what did not', async () => {
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

  it('is told when it claims a number that cannot be', async () => {
    const version = await relay.publish('a');
    const client = await relay.connect(`/ws?topic=a&since=${Number.MAX_SAFE_INTEGER}`);
    await eventually(() => expect(client.ofType('update')).toEqual([{ type: 'update', topic: 'a', version }]));
  });

  it('gets updates that come in one turn once a topic, the newest', async () => {
    const client = await relay.connect('/ws?topic=a&topic=b');
    await eventually(() => expect(client.ofType('subscribed').length).toBeGreaterThan(0));
    const versions = await Promise.all([1, 2, 3].map((n) => relay.publish('a', { data: n })));
    await eventually(() => expect(client.ofType('update').at(-1)?.version).toBe(versions[2]));
    expect(client.ofType('update').length).toBeLessThanOrEqual(versions.length);
    expect(client.ofType('update').at(-1)?.data).toBe(3);
  });
});

describe('a client of 2009 on /update_check', () => {
  let relay: RelayFixture;
  beforeEach(async () => {
    relay = await startRelay({ env: { DEFAULT_TOPIC: 'page' } });
  });
  afterEach(() => relay.stop());

  it('hears UPDATED and nothing else, and may say NOOP', async () => {
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

  it('is told once when it comes just after an update, since it cannot say what it has', async () => {
    await relay.publish('page');
    const client = await relay.connect('/update_check');
    await eventually(() => expect(client.texts).toEqual(['UPDATED']));
  });

  it('is told nothing when it comes to a topic that did not change lately, or is up to date', async () => {
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
