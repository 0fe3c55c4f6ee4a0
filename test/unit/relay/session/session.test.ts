import { describe, expect, it } from 'vitest';
import type { Authorization } from '../../../../services/relay/access/authorization.ts';
import type { SessionDeps } from '../../../../services/relay/session/session.ts';
import { Sessions } from '../../../../services/relay/session/sessions.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { FakeSessionConnection, FakeSessionHub, FakeSessionReport } from '../../../support/session-fixture.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const [chat, news] = ['chat', 'news'] as [Topic, Topic];

/** A client whose connection has room or none, on a relay that is fresh or stale. */
function createSession(options: {
  room: boolean;
  fresh: boolean;
  topics?: readonly Topic[];
  token?: string;
  authorization?: Authorization;
  limits?: Partial<SessionDeps['limits']>;
  admitTopics?: SessionDeps['admitTopics'];
  transport?: 'legacy' | 'websocket';
  acceptsMessages?: boolean;
}) {
  const [time, hub, report] = [new VirtualTime(), new FakeSessionHub(), new FakeSessionReport()];
  const connection = new FakeSessionConnection(options.transport);
  connection.room = options.room;
  connection.acceptsMessages = options.acceptsMessages ?? true;
  hub.fresh = options.fresh;
  const sessions = new Sessions({
    hub,
    clock: time.clock(),
    limits: { maxTopics: 2, maxRelayTopics: Number.POSITIVE_INFINITY, messagesPerSecond: 0, ...options.limits },
    authorization: options.authorization,
    ...(options.admitTopics && { admitTopics: options.admitTopics }),
    report,
  });
  const topics = new Map((options.topics ?? [chat]).map((topic) => [topic, 7]));
  const session = sessions.accept(connection, { topics, token: options.token });
  return { time, hub, connection, session, sessions, report };
}

/** Access to some topics, without an end unless one is given. */
const access = (hasToken: boolean, topics: readonly Topic[], expiresAtMs = Number.POSITIVE_INFINITY) => ({
  hasToken,
  maySubscribe: (topic: Topic) => topics.includes(topic),
  expiresAtMs,
});

describe('a session', () => {
  it('sends versions at once, in the same write as the response to the handshake', async () => {
    const [time, hub, connection] = [new VirtualTime(), new FakeSessionHub(), new FakeSessionConnection()];
    const sessions = new Sessions({
      hub,
      clock: time.clock(),
      limits: { maxTopics: 1, maxRelayTopics: 1000, messagesPerSecond: 0 },
      authorization: undefined,
      report: new FakeSessionReport(),
    });
    sessions.accept(connection, { topics: new Map([[chat, 6]]), token: undefined });
    expect(connection.sent).toEqual(['subscribed chat,7', 'update chat 7']);
    await time.runFor(1);
    expect(connection.sent).toHaveLength(2);
  });

  it.each([
    ['6', 'a client that comes back to a newer version', 6, 1],
    ['7', 'not a client that has the current version', 7, 0],
    ['0', 'not a client without content, which fetches anyway', 0, 0],
  ])('that comes with %s is counted as a delivery: %s', (_, __, since, deliveries) => {
    const [time, hub, connection] = [new VirtualTime(), new FakeSessionHub(), new FakeSessionConnection()];
    const report = new FakeSessionReport();
    const sessions = new Sessions({
      hub,
      clock: time.clock(),
      limits: { maxTopics: 1, maxRelayTopics: 1000, messagesPerSecond: 0 },
      authorization: undefined,
      report,
    });
    sessions.accept(connection, { topics: new Map([[chat, since]]), token: undefined });
    expect(report.sends).toBe(deliveries);
  });

  it('sends a version eventually, also if the relay became stale while there was no room for it', async () => {
    const { time, hub, connection, session } = createSession({ room: false, fresh: true });
    await time.runFor(1);
    hub.becomes(false);
    connection.room = true;
    session.drained();
    await time.runFor(1);
    expect(connection.sent).toEqual(['subscribed chat,']);
    hub.becomes(true);
    await time.runFor(1);
    expect(connection.sent).toEqual(['subscribed chat,', 'subscribed chat,7']);
  });

  it('sends a version eventually, also if the relay was fresh only while there was no room for it', async () => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: false });
    await time.runFor(1);
    expect(connection.sent).toEqual(['fresh false', 'subscribed chat,']);
    connection.room = false;
    session.fellBehind();
    hub.becomes(true);
    await time.runFor(1);
    hub.becomes(false);
    connection.room = true;
    session.drained();
    await time.runFor(1);
    hub.becomes(true);
    await time.runFor(1);
    expect(connection.sent.slice(2)).toEqual(['subscribed chat,7']);
  });

  it.each([
    ['and gets its version', [chat], ['subscribed chat,7']],
    ['and is refused a topic that the token does not allow', [], ['error topic_forbidden']],
  ])('may subscribe to its first topic after its token was verified, %s', async (_, opened, sent) => {
    const check = async () => access(true, opened);
    const authorization = { tokenRequired: true, anonymous: access(false, []), check };
    const { time, connection, session } = createSession({ room: true, fresh: true, topics: [], authorization });
    session.message('{"type":"auth","token":"t"}');
    await time.runFor(1);
    expect(connection.sent).toEqual([]);
    session.message('{"type":"subscribe","topics":{"chat":null}}');
    await time.runFor(1);
    expect(connection.sent).toEqual(sent);
  });

  it.each([
    ['a topic that it may not have', '{"chat":null,"news":null}'],
    ['too many topics', '{"a":null,"b":null,"c":null}'],
  ])(
    'that is refused %s is closed if the error does not fit, since it would take silence for "no update"',
    (_, topics) => {
      const anonymous = { hasToken: false, maySubscribe: () => false, expiresAtMs: Number.POSITIVE_INFINITY };
      const authorization = { tokenRequired: false, anonymous, check: async () => anonymous };
      for (const room of [true, false]) {
        const { connection, session } = createSession({ room, fresh: true, topics: [], authorization });
        session.message(`{"type":"subscribe","topics":${topics}}`);
        if (room) for (const what of connection.sent) expect(what).toMatch(/^error /);
        else expect([connection.sent, connection.reasons]).toEqual([['close 1012'], ['0']]);
      }
    },
  );

  it.each([
    ['sent an error', true, ['subscribed chat,7', 'error unauthorized']],
    [
      'closed if the error does not fit, since it would take silence for "no update"',
      false,
      ['subscribed chat,7', 'close 1012'],
    ],
  ])('that loses one of its topics is %s', async (_, room, sent) => {
    const other = 'other' as Topic;
    const authorization = {
      tokenRequired: false,
      anonymous: access(false, [other]),
      check: async () => access(true, [chat, other], 1000),
    };
    const { time, connection, session } = createSession({ room: true, fresh: true, topics: [], authorization });
    session.message('{"type":"auth","token":"t"}');
    await time.runFor(1);
    session.message('{"type":"subscribe","topics":{"chat":7}}');
    await time.runFor(1);
    session.message('{"type":"subscribe","topics":{"other":7}}');
    await time.runFor(1);
    connection.room = room;
    await time.runFor(1000);
    expect(connection.sent.filter((what) => !what.includes('other'))).toEqual(sent);
  });
});

describe('the messages of a client', () => {
  it('subscribe and unsubscribe its connection and the relay, each topic once', async () => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: true });
    expect([hub.topics, [...connection.topics], [...session.topics]]).toEqual([[chat], [chat], [chat]]);
    session.message('{"type":"subscribe","topics":{"chat":7,"news":7}}');
    await time.runFor(1);
    expect([hub.topics, [...connection.topics]]).toEqual([
      [chat, news],
      [chat, news],
    ]);
    session.message('{"type":"unsubscribe","topics":["chat","other"]}');
    expect([hub.topics, [...connection.topics], [...session.topics]]).toEqual([[news], [news], [news]]);
    session.message('{"type":"subscribe","topics":{"chat":6}}');
    session.message('{"type":"unsubscribe","topics":["chat"]}');
    await time.runFor(1);
    expect(connection.sent).toEqual(['subscribed chat,7', 'subscribed chat,7,news,7']);
  });

  it('are answered: a ping by a pong, an invalid one by an error', () => {
    const { connection, session, report } = createSession({ room: true, fresh: true, topics: [] });
    session.message('{"type":"ping"}');
    session.message('{"type":"dance"}');
    expect(connection.sent).toEqual(['pong', 'error unknown_type']);
    expect(report.events).toEqual(['refused unknown_type']);
    connection.room = false;
    session.message('{"type":"ping"}');
    expect(session.isBehind).toBe(true);
  });

  it('close it if there are too many, each topic counting as one', () => {
    const { connection, session } = createSession({ room: true, fresh: true, limits: { messagesPerSecond: 1 } });
    const sent = connection.sent.length;
    for (let n = 0; n < 253; n += 1) session.alive();
    session.message('{"type":"subscribe","topics":{"chat":7,"news":7}}');
    session.message('{"type":"ping"}');
    expect(connection.sent.slice(sent)).toEqual(['pong']);
    session.message('{"type":"subscribe","topics":{"chat":7}}');
    expect(connection.sent.slice(sent + 1)).toEqual(['error too_fast', 'close 4429']);
    session.closed();
    session.message('{"type":"ping"}');
    expect(connection.sent).toHaveLength(sent + 3);
  });

  it('are ignored once it is gone', () => {
    const { hub, connection, session } = createSession({ room: true, fresh: true });
    session.closed();
    session.message('{"type":"subscribe","topics":{"chat":7}}');
    session.alive();
    session.end(new AppError('relay_full'));
    expect([hub.topics, connection.sent]).toEqual([[], ['subscribed chat,7']]);
  });

  it('may contain a token that the relay does not need', () => {
    const { connection, session } = createSession({ room: true, fresh: true });
    session.message('{"type":"auth","token":"t"}');
    expect(connection.sent).toEqual(['subscribed chat,7']);
  });

  it('subscribe the connection to a topic once it is loaded, not before', async () => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: true });
    hub.unloaded.add(news);
    hub.flushPosition = 4;
    session.message('{"type":"subscribe","topics":{"news":7}}');
    await time.runFor(1);
    expect([[...connection.topics], connection.sent, session.isFresh(news)]).toEqual([
      [chat],
      ['subscribed chat,7'],
      false,
    ]);
    hub.load(news);
    await time.runFor(1);
    expect([[...connection.topics], connection.sent.slice(1), session.isFresh(news)]).toEqual([
      [chat, news],
      ['subscribed news,7'],
      true,
    ]);
    expect(session.subscribedFrom).toBe(4);
  });

  it('close it if a list of topics is longer than its budget', () => {
    const { connection, session } = createSession({ room: true, fresh: true, limits: { messagesPerSecond: 1 } });
    for (let n = 0; n < 255; n += 1) session.alive();
    session.message('{"type":"subscribe","topics":{"chat":7,"news":7}}');
    expect(connection.sent.slice(-2)).toEqual(['error too_fast', 'close 4429']);
    expect([...session.topics]).toEqual([chat]);
  });

  it('may name topics that it has already when it has as many as it may', async () => {
    const { time, connection, session } = createSession({ room: true, fresh: true, topics: [chat, news] });
    session.message('{"type":"subscribe","topics":{"chat":7,"news":7}}');
    await time.runFor(1);
    session.message('{"type":"subscribe","topics":{"other":7}}');
    expect(connection.sent.slice(1)).toEqual(['subscribed chat,7,news,7', 'error too_many_topics']);
  });

  it('are refused if the relay is full, or too many clients subscribe', async () => {
    const full = createSession({ room: true, fresh: true, limits: { maxRelayTopics: 1 } });
    full.session.message('{"type":"subscribe","topics":{"news":7}}');
    expect(full.connection.sent.slice(1)).toEqual(['error relay_full', 'close 1013']);
    const charged: number[] = [];
    const admitTopics = (topics: number) => charged.push(topics) === 1;
    const busy = createSession({ room: true, fresh: true, admitTopics });
    busy.session.message('{"type":"subscribe","topics":{"chat":7,"news":7}}');
    busy.session.message('{"type":"unsubscribe","topics":["news"]}');
    busy.session.message('{"type":"subscribe","topics":{"news":7}}');
    expect(busy.connection.sent.slice(1)).toEqual(['error connecting_too_fast', 'close 1013']);
    expect(charged).toEqual([1, 1]); // not the topics of its request, nor those that it had
  });

  it('do not hide faults of the relay', () => {
    const admitTopics = () => {
      throw new TypeError('a fault');
    };
    const { session } = createSession({ room: true, fresh: true, admitTopics });
    expect(() => session.message('{"type":"subscribe","topics":{"news":7}}')).toThrow('a fault');
  });
});

describe('a client that is behind', () => {
  it('is sent freshness, versions and missing updates once there is room, in the order of delivery', async () => {
    const { time, hub, connection, session, sessions, report } = createSession({
      room: true,
      fresh: true,
      topics: [chat, news],
    });
    const sent = connection.sent.length;
    connection.room = false;
    hub.flushPosition = 5;
    session.fellBehind();
    expect([session.isBehind, report.timesBehind, report.events]).toEqual([true, 1, []]);
    session.fellBehind();
    expect(report.timesBehind).toBe(1);
    hub.flushes
      .set(chat, 7)
      .set(news, 6)
      .set('other' as Topic, 8);
    hub.freshnessFlush = 5;
    expect([session.isBehindOn(chat), session.isBehindOn('other' as Topic)]).toEqual([true, false]);
    expect([sessions.countBehind(chat), sessions.countBehind('other' as Topic)]).toEqual([1, 0]);
    session.drained();
    expect(connection.sent).toHaveLength(sent);
    connection.room = true;
    session.drained();
    expect(connection.sent.slice(sent)).toEqual(['fresh true', 'update news 7', 'update chat 7']);
    expect([session.isBehind, report.late, report.events]).toEqual([
      false,
      [news, chat],
      ['caught up', 'buffer drained'],
    ]);
    expect([session.isBehindOn(chat), sessions.countBehind(chat)]).toEqual([false, 0]);
    session.drained();
    expect(report.events.slice(2)).toEqual(['buffer drained']);
    await time.runFor(1);
    expect(connection.sent).toHaveLength(sent + 3);
  });

  it('is sent only what is missing: no freshness and no update from before', () => {
    const { hub, connection, session } = createSession({ room: true, fresh: true, topics: [chat, news] });
    const sent = connection.sent.length;
    hub.flushes.set(chat, 4).set(news, 5);
    hub.freshnessFlush = 4;
    hub.flushPosition = 5;
    session.fellBehind();
    expect([session.isBehindOn(chat), session.isBehindOn(news)]).toEqual([false, true]);
    session.drained();
    expect(connection.sent.slice(sent)).toEqual(['update news 7']);
  });

  it('continues with the update that did not fit, and from an earlier position if it misses more', () => {
    const { hub, connection, session } = createSession({ room: true, fresh: true, topics: [chat, news] });
    const sent = connection.sent.length;
    hub.flushes.set(chat, 5).set(news, 6);
    session.fellBehind(5);
    const send = connection.sendUpdate;
    connection.sendUpdate = (update) => {
      connection.room = update.topic === chat;
      return send(update);
    };
    session.drained();
    connection.sendUpdate = send;
    connection.room = true;
    expect([session.isBehindOn(chat), session.isBehindOn(news)]).toEqual([false, true]);
    session.drained();
    expect(connection.sent.slice(sent)).toEqual(['update chat 7', 'update news 7']);
    session.fellBehind(7);
    session.fellBehind(6);
    session.fellBehind(8);
    session.drained();
    expect(connection.sent.slice(sent + 2)).toEqual(['update news 7']);
  });

  it('acknowledges nothing before there is room, and then versions before updates', async () => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: true });
    const sent = connection.sent.length;
    hub.flushes.set(chat, 3);
    connection.room = false;
    session.fellBehind(3);
    session.message('{"type":"subscribe","topics":{"news":7}}');
    await time.runFor(1);
    connection.room = true;
    await time.runFor(1);
    expect(connection.sent).toHaveLength(sent);
    session.drained();
    expect(connection.sent.slice(sent)).toEqual(['subscribed news,7', 'update chat 7']);
  });

  it('that is acknowledged while an update of the turn is pending gets it by its delivery alone', () => {
    const { hub, connection, session } = createSession({ room: true, fresh: true });
    hub.version = 8;
    hub.pendingDeliveries.add(chat);
    session.fellBehind(3);
    session.message('{"type":"subscribe","topics":{"chat":7}}');
    session.drained();
    expect(connection.sent.slice(1)).toEqual(['subscribed chat,8']);
  });

  it.each([
    ['a version', ['subscribed chat,8', 'update chat 8']],
    ['the update after a version', ['subscribed chat,8', 'subscribed chat,8', 'update chat 8']],
  ])('is one that has no room for %s, which follows once there is some', async (_, sent) => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: true, topics: [] });
    hub.version = 8;
    const send = connection.sendSubscribed;
    connection.sendSubscribed = (versions) => {
      connection.room = sent.length > 2;
      const fitted = send(versions);
      connection.room = false;
      return fitted;
    };
    session.message('{"type":"subscribe","topics":{"chat":7}}');
    await time.runFor(1);
    expect([session.isBehind, connection.sent]).toEqual([true, sent.slice(0, -2)]);
    connection.sendSubscribed = send;
    connection.room = true;
    session.drained();
    expect([session.isBehind, connection.sent]).toEqual([false, sent]);
  });

  it('is not any more, and leaves nothing behind, when it is gone', () => {
    const { hub, connection, session, sessions, report } = createSession({ room: true, fresh: true });
    connection.bufferedBytes = 3;
    expect([session.bufferedBytes, session.supportsSpread, session.connection]).toEqual([3, true, connection]);
    session.fellBehind();
    session.closed();
    expect([session.bufferedBytes, session.supportsSpread, session.connection]).toEqual([0, false, undefined]);
    expect([hub.topics, [...session.topics], sessions.size, session.isBehind]).toEqual([[], [], 0, false]);
    expect(report.events).toEqual(['caught up', 'ended']);
    const sent = connection.sent.length;
    session.fellBehind();
    session.drained();
    session.sendSince(0);
    expect([session.isBehind, connection.sent.length, report.events.length]).toEqual([false, sent, 2]);
    const other = createSession({ room: true, fresh: true });
    other.session.closed();
    expect(other.report.events).toEqual(['ended']);
  });

  it('gets what pacing withheld too, and once', () => {
    const { hub, connection, session } = createSession({ room: true, fresh: true, topics: [chat, news] });
    const sent = connection.sent.length;
    hub.flushes.set(chat, 4).set(news, 6);
    session.sendSince(5);
    expect(connection.sent.slice(sent)).toEqual(['update news 7']);
    session.fellBehind(6);
    session.sendSince(4);
    expect(connection.sent.slice(sent + 1)).toEqual(['update chat 7', 'update news 7']);
    expect(session.isBehind).toBe(false);
    connection.room = false;
    session.sendSince(4);
    expect([session.isBehindOn(chat), session.isBehindOn(news)]).toEqual([true, true]);
  });
});

describe('a client that needs a token', () => {
  const authorization: Authorization = {
    tokenRequired: true,
    anonymous: access(false, []),
    check: async (token) => access(true, token.split(' ') as Topic[]),
  };

  it('gets the topics of its request that the token in it allows, and is refused the others', async () => {
    const options = { room: true, fresh: true, topics: [chat, news], authorization };
    const { time, connection, session } = createSession({ ...options, token: 'news' });
    expect(connection.sent).toEqual([]);
    await time.runFor(1);
    expect(connection.sent).toEqual(['error topic_forbidden', 'subscribed news,7']);
    expect([...session.topics]).toEqual([news]);
  });

  it('is sent an error, and keeps its topics, while a new token cannot be verified', async () => {
    const check = async (token: string) => {
      if (token === 'new') throw new AppError('keys_unavailable');
      return access(true, [chat]);
    };
    const options = { room: true, fresh: true, authorization: { ...authorization, check } };
    const { time, connection, session } = createSession({ ...options, token: 'old' });
    await time.runFor(1);
    session.message('{"type":"auth","token":"new"}');
    await time.runFor(1);
    expect(connection.sent).toEqual(['subscribed chat,7', 'error keys_unavailable']);
    expect([...session.topics]).toEqual([chat]);
  });

  it('is closed after an error for each of its topics when all of them end with its token', async () => {
    const optional = {
      tokenRequired: false,
      anonymous: access(false, []),
      check: async () => access(true, [chat, news], 1000),
    };
    const options = { room: true, fresh: true, topics: [chat, news], authorization: optional };
    const { time, hub, connection } = createSession({ ...options, token: 't' });
    await time.runFor(999);
    expect(connection.sent).toEqual(['subscribed chat,7,news,7']);
    await time.runFor(1);
    expect(connection.sent.slice(1)).toEqual(['error unauthorized', 'error unauthorized', 'close 4401']);
    expect([hub.topics, [...connection.topics]]).toEqual([[], []]);
  });

  it('is closed if the token allows none of the topics of its request', async () => {
    const options = { room: true, fresh: true, topics: [chat], authorization };
    const { time, connection } = createSession({ ...options, token: 'news' });
    await time.runFor(1);
    expect(connection.sent).toEqual(['error topic_forbidden', 'close 4403']);
  });

  it('waits for the token with its topics, as many as it may have, without those that it leaves meanwhile', async () => {
    const { time, connection, session } = createSession({ room: true, fresh: true, authorization });
    session.message('{"type":"subscribe","topics":{"chat":6,"news":6}}');
    session.message('{"type":"subscribe","topics":{"other":6}}');
    expect(connection.sent).toEqual(['error too_many_topics']);
    session.message('{"type":"unsubscribe","topics":["chat"]}');
    session.message('{"type":"auth","token":"chat news"}');
    await time.runFor(1);
    expect(connection.sent.slice(1)).toEqual(['subscribed news,7', 'update news 7']);
  });

  it('is closed at once if it cannot send one, and after a while if it can', async () => {
    const silent = createSession({ room: true, fresh: true, authorization, acceptsMessages: false });
    expect(silent.connection.sent).toEqual(['error unauthorized', 'close 4401']);
    const waiting = createSession({ room: true, fresh: true, authorization });
    await waiting.time.runFor(9999);
    expect(waiting.connection.sent).toEqual([]);
    await waiting.time.runFor(1);
    expect(waiting.connection.sent).toEqual(['error unauthorized', 'close 4401']);
  });

  it('and has presented none makes room for others, the oldest first, unless it presents one', async () => {
    const { time, connection, session, sessions } = createSession({ room: true, fresh: true, authorization });
    const second = new FakeSessionConnection();
    sessions.accept(second, { topics: new Map(), token: undefined });
    const third = new FakeSessionConnection();
    sessions.accept(third, { topics: new Map(), token: 'chat' });
    session.message('{"type":"auth","token":"chat"}');
    await time.runFor(1);
    expect([sessions.canEvict, sessions.size]).toEqual([true, 3]);
    sessions.evict();
    expect(second.sent).toEqual(['error relay_full', 'close 1013']);
    expect([connection.sent, third.sent]).toEqual([['subscribed chat,7'], []]);
    for (const each of [...sessions]) if (each.connection === second) each.closed();
    expect([sessions.canEvict, sessions.size]).toEqual([false, 2]);
    sessions.evict();
  });

  it('is closed without one if its request names topics that only a token allows', () => {
    const optional = { ...authorization, tokenRequired: false };
    const { connection } = createSession({ room: true, fresh: true, authorization: optional });
    expect(connection.sent).toEqual(['error unauthorized', 'close 4401']);
    const { connection: other } = createSession({ room: true, fresh: true, topics: [], authorization: optional });
    expect(other.sent).toEqual([]);
  });
});

describe('sessions', () => {
  it('know their legacy clients while those are connected, and pace clients that cannot spread', async () => {
    const { hub, time, connection, session, sessions } = createSession({
      room: true,
      fresh: true,
      transport: 'legacy',
    });
    const current = new FakeSessionConnection();
    const other = sessions.accept(current, { topics: new Map([[chat, 7]]), token: undefined });
    expect([[...sessions.legacy], [...sessions]]).toEqual([[session], [session, other]]);
    hub.flushes.set(chat, 3);
    const sent = [connection.sent.length, current.sent.length];
    sessions.pace(3, 1000);
    await time.runFor(499);
    expect([connection.sent.length, sessions.countBehind(chat)]).toEqual([sent[0], 1]);
    await time.runFor(1);
    expect([connection.sent.length, current.sent.length]).toEqual([Number(sent[0]) + 1, sent[1]]);
    expect(sessions.countBehind(chat)).toBe(0);
    session.closed();
    expect([[...sessions.legacy], [...sessions]]).toEqual([[], [other]]);
  });

  it('that miss an update are counted up to 10,000, once each', async () => {
    const { hub, session, sessions } = createSession({ room: true, fresh: true, transport: 'legacy' });
    const accept = () =>
      sessions.accept(new FakeSessionConnection('legacy'), { topics: new Map([[chat, 7]]), token: undefined });
    hub.flushes.set(chat, 3);
    sessions.pace(3, 1000);
    session.fellBehind(3);
    expect(sessions.countBehind(chat)).toBe(1);
    const others = Array.from({ length: 10_000 }, accept);
    sessions.pace(3, 1000);
    expect(sessions.countBehind(chat)).toBe(9999); // of those examined, one is behind and paced
    for (const other of others) other.fellBehind(3);
    expect(sessions.countBehind(chat)).toBe(10_000);
  });
});
