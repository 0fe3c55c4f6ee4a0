import { describe, expect, it } from 'vitest';
import type { Authorization } from '../../../../services/relay/access/authorization.ts';
import type { Hub } from '../../../../services/relay/hub/hub.ts';
import { PendingSubscribers } from '../../../../services/relay/hub/pending-subscribers.ts';
import { Sessions } from '../../../../services/relay/session/sessions.ts';
import type { Connection } from '../../../../services/relay/transport/transport.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const chat = 'chat' as Topic;

/** As much of a hub as a session asks, with one topic that is known; it can be made stale. */
class StubHub {
  readonly waiting = new PendingSubscribers();
  readonly mark = 1;
  readonly freshnessFlush = 0;
  fresh = true;

  subscribe(): void {}
  unsubscribe(): void {}
  hasRoom = () => true;
  isFresh = () => this.fresh;
  flushOf = () => 0;
  isDeliveryPending = () => false;
  newestVersion = () => 7;
  brokerTimeAt = () => 0;
  current = (topic: Topic) => ({ topic, version: 7 });

  awaitFreshness: Hub['awaitFreshness'] = (topic, member) => {
    if (!this.fresh) this.waiting.add(topic, member);
  };

  becomes(fresh: boolean): void {
    this.fresh = fresh;
    this.waiting.notify(chat, fresh);
  }
}

/** A client's line that has room or has none. */
class StubConnection implements Connection {
  readonly transport = 'websocket';
  readonly acceptsMessages = true;
  readonly said: string[] = [];
  room = true;

  subscribe(): void {}
  unsubscribe(): void {}
  close(code: number): void {
    this.said.push(`close ${code}`);
  }
  sendSubscribed = (numbers: ReadonlyMap<Topic, number | null>) => this.#say(`subscribed ${[...numbers]}`);
  sendUpdate = ({ topic, version }: { topic: Topic; version: number }) => this.#say(`update ${topic} ${version}`);
  sendFreshness = (fresh: boolean) => this.#say(`fresh ${fresh}`);
  sendPong = () => this.#say('pong');
  sendError = (code: string) => this.#say(`error ${code}`);

  #say(what: string): boolean {
    if (this.room) this.said.push(what);
    return this.room;
  }
}

/** A client whose line has room or has none, of a relay that is fresh or is not. */
function createSession(options: {
  room: boolean;
  fresh: boolean;
  topics?: readonly Topic[];
  authorization?: Authorization;
}) {
  const [time, hub, connection] = [new VirtualTime(), new StubHub(), new StubConnection()];
  connection.room = options.room;
  hub.fresh = options.fresh;
  const sessions = new Sessions({
    hub: hub as unknown as Hub,
    clock: time.clock(),
    limits: { maxTopics: 2, maxRelayTopics: Number.POSITIVE_INFINITY, messagesPerSecond: 0 },
    authorization: options.authorization,
    report: { fellBehind() {}, caughtUp() {}, sent() {}, refused() {} },
  });
  const topics = new Map((options.topics ?? [chat]).map((topic) => [topic, 7]));
  const session = sessions.accept(connection, { topics, token: undefined });
  return { time, hub, connection, session };
}

describe('a session', () => {
  it('says what is known at once, in the same write as the answer to the handshake', async () => {
    const [time, hub, connection] = [new VirtualTime(), new StubHub(), new StubConnection()];
    const sessions = new Sessions({
      hub: hub as unknown as Hub,
      clock: time.clock(),
      limits: { maxTopics: 1, maxRelayTopics: 1000, messagesPerSecond: 0 },
      authorization: undefined,
      report: { fellBehind() {}, caughtUp() {}, sent() {}, refused() {} },
    });
    sessions.accept(connection, { topics: new Map([[chat, 6]]), token: undefined });
    expect(connection.said).toEqual(['subscribed chat,7', 'update chat 7']);
    await time.runFor(1);
    expect(connection.said).toHaveLength(2);
  });

  it.each([
    ['6', 'who comes back to something newer', 6, 1],
    ['7', 'not who has what is current', 7, 0],
    ['0', 'not who has nothing and only fetches', 0, 0],
  ])('that comes with %s is counted as a delivery: %s', (_, __, since, deliveries) => {
    const [time, hub, connection] = [new VirtualTime(), new StubHub(), new StubConnection()];
    let counted = 0;
    const sent = () => {
      counted += 1;
    };
    const sessions = new Sessions({
      hub: hub as unknown as Hub,
      clock: time.clock(),
      limits: { maxTopics: 1, maxRelayTopics: 1000, messagesPerSecond: 0 },
      authorization: undefined,
      report: { fellBehind() {}, caughtUp() {}, sent, refused() {} },
    });
    sessions.accept(connection, { topics: new Map([[chat, since]]), token: undefined });
    expect(counted).toBe(deliveries);
  });

  it('says a number in the end, also where the relay ceased to be fresh while there was no room for it', async () => {
    const { time, hub, connection, session } = createSession({ room: false, fresh: true });
    await time.runFor(1);
    hub.becomes(false);
    connection.room = true;
    session.drained();
    await time.runFor(1);
    expect(connection.said).toEqual(['subscribed chat,']);
    hub.becomes(true);
    await time.runFor(1);
    expect(connection.said).toEqual(['subscribed chat,', 'subscribed chat,7']);
  });

  it('says a number in the end, also where the relay was fresh only while there was no room for it', async () => {
    const { time, hub, connection, session } = createSession({ room: true, fresh: false });
    await time.runFor(1);
    expect(connection.said).toEqual(['fresh false', 'subscribed chat,']);
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
    expect(connection.said.slice(2)).toEqual(['subscribed chat,7']);
  });

  it.each([
    ['and is told so', [chat], ['subscribed chat,7']],
    ['and is refused what it does not open', [], ['error topic_forbidden']],
  ])('may ask for its first topic after its token was taken, %s', async (_, opened, said) => {
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
    expect(connection.said).toEqual([]);
    session.message('{"type":"subscribe","topics":{"chat":null}}');
    await time.runFor(1);
    expect(connection.said).toEqual(said);
  });

  it.each([
    ['told of it', true, ['subscribed chat,7', 'error unauthorized']],
    [
      'sent away where there is no room for that, so as not to take silence for no news',
      false,
      ['subscribed chat,7', 'close 1012'],
    ],
  ])('that loses one of its topics is %s', async (_, room, said) => {
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
    expect(connection.said.filter((what) => !what.includes('other'))).toEqual(said);
  });
});
