import { describe, expect, it } from 'vitest';
import type { Authorization } from '../../../../services/relay/access/authorization.ts';
import { Sessions } from '../../../../services/relay/session/sessions.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { FakeSessionConnection, FakeSessionHub, FakeSessionReport } from '../../../support/session-fixture.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const chat = 'chat' as Topic;

/** A client whose connection has room or none, on a relay that is fresh or stale. */
function createSession(options: {
  room: boolean;
  fresh: boolean;
  topics?: readonly Topic[];
  authorization?: Authorization;
}) {
  const [time, hub, connection] = [new VirtualTime(), new FakeSessionHub(), new FakeSessionConnection()];
  connection.room = options.room;
  hub.fresh = options.fresh;
  const sessions = new Sessions({
    hub,
    clock: time.clock(),
    limits: { maxTopics: 2, maxRelayTopics: Number.POSITIVE_INFINITY, messagesPerSecond: 0 },
    authorization: options.authorization,
    report: new FakeSessionReport(),
  });
  const topics = new Map((options.topics ?? [chat]).map((topic) => [topic, 7]));
  const session = sessions.accept(connection, { topics, token: undefined });
  return { time, hub, connection, session };
}

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
    const access = (hasToken: boolean, topics: readonly Topic[]) => ({
      hasToken,
      maySubscribe: (topic: Topic) => topics.includes(topic),
      expiresAtMs: Number.POSITIVE_INFINITY,
    });
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
    ['a topic that it may not have', '{"chat":null}'],
    ['too many topics', '{"a":null,"b":null,"c":null}'],
  ])(
    'that is refused %s is closed if the error does not fit, since it would take silence for "no update"',
    (_, topics) => {
      const anonymous = { hasToken: false, maySubscribe: () => false, expiresAtMs: Number.POSITIVE_INFINITY };
      const authorization = { tokenRequired: false, anonymous, check: async () => anonymous };
      for (const [room, sent] of [
        [true, /^error /],
        [false, /^close 1012$/],
      ] as const) {
        const { connection, session } = createSession({ room, fresh: true, topics: [], authorization });
        session.message(`{"type":"subscribe","topics":${topics}}`);
        expect(connection.sent).toEqual([expect.stringMatching(sent)]);
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
    const access = (topics: readonly Topic[], expiresAtMs: number) => ({
      hasToken: true,
      maySubscribe: (topic: Topic) => topics.includes(topic),
      expiresAtMs,
    });
    const authorization = {
      tokenRequired: false,
      anonymous: { ...access([other], Number.POSITIVE_INFINITY), hasToken: false },
      check: async () => access([chat, other], 1000),
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
