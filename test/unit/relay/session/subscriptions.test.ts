import { describe, expect, it } from 'vitest';
import { Subscriptions } from '../../../../services/relay/session/subscriptions.ts';
import type { TransportName } from '../../../../services/shared/protocol/transport-name.ts';
import { parseTopic, type Topic } from '../../../../services/shared/update/topic.ts';
import type { Version } from '../../../../services/shared/update/update.ts';
import { FakeSessionConnection, FakeSessionHub, FakeSessionReport } from '../../../support/session-fixture.ts';

const [A, B, C] = ['a', 'b', 'c'].map(parseTopic) as [Topic, Topic, Topic];
const SUBSCRIBED_AT_MS = 70_000;
const VERSION = 4_000_000_000;

function setUp(transport: TransportName = 'websocket') {
  const [hub, connection] = [new FakeSessionHub(), new FakeSessionConnection(transport)];
  hub.version = VERSION;
  const subscriptions = new Subscriptions();
  const acknowledge = () =>
    subscriptions.acknowledge({
      hub,
      report: new FakeSessionReport(),
      subscriber: { freshnessChanged() {} },
      connection,
    });
  return { hub, connection, subscriptions, acknowledge };
}

/** What a client with a new subscription is sent. */
function sentTo(since: Version | null, transport: TransportName, mayHaveMissed = false): readonly string[] {
  const { hub, connection, subscriptions, acknowledge } = setUp(transport);
  hub.mayHaveMissed = (topic, atMs) => topic === A && atMs === SUBSCRIBED_AT_MS && mayHaveMissed;
  subscriptions.add(A, since, SUBSCRIBED_AT_MS);
  acknowledge();
  return connection.sent;
}

describe('the subscriptions of a session', () => {
  it('are the topics that were added and not deleted, each once', () => {
    const { subscriptions } = setUp();
    const add = (topic: Topic) => subscriptions.add(topic, 1, SUBSCRIBED_AT_MS);
    expect([add(A), add(A), add(B)]).toEqual([true, false, true]);
    expect([...subscriptions]).toEqual([A, B]);
    expect(subscriptions.size).toBe(2);
    expect([subscriptions.delete(A), subscriptions.delete(A), subscriptions.delete(C)]).toEqual([true, false, false]);
    expect([subscriptions.has(A), subscriptions.has(B), subscriptions.size]).toEqual([false, true, 1]);
    expect([add(C), add(B)]).toEqual([true, false]);
    expect(new Set(subscriptions)).toEqual(new Set([B, C]));
    expect([subscriptions.delete(B), subscriptions.delete(C), subscriptions.size]).toEqual([true, true, 0]);
    expect([...subscriptions]).toEqual([]);
  });

  it('are acknowledged once each, by the version of the last request, unless they were deleted', () => {
    const { connection, subscriptions, acknowledge } = setUp();
    subscriptions.add(A, VERSION - 1, SUBSCRIBED_AT_MS);
    subscriptions.add(A, VERSION, SUBSCRIBED_AT_MS);
    subscriptions.add(B, VERSION, SUBSCRIBED_AT_MS);
    subscriptions.add(C, VERSION - 1, SUBSCRIBED_AT_MS);
    subscriptions.delete(B);
    expect([acknowledge(), acknowledge()]).toEqual([true, true]);
    expect(connection.sent).toEqual([`subscribed a,${VERSION},c,${VERSION}`, `update c ${VERSION}`]);
    expect(subscriptions.has(A)).toBe(true);
    subscriptions.add(A, VERSION - 1, SUBSCRIBED_AT_MS);
    subscriptions.clear();
    expect([acknowledge(), subscriptions.size, subscriptions.has(A)]).toEqual([true, 0, false]);
    expect(connection.sent).toHaveLength(2);
  });

  it('stay pending while there is no room, and are acknowledged once there is', () => {
    const { connection, subscriptions, acknowledge } = setUp();
    subscriptions.add(A, VERSION, SUBSCRIBED_AT_MS);
    connection.room = false;
    expect(acknowledge()).toBe(false);
    connection.room = true;
    expect(acknowledge()).toBe(true);
    expect(connection.sent).toEqual([`subscribed a,${VERSION}`]);
  });

  it('are acknowledged no further if the connection closes while it is sent to', () => {
    const { connection, subscriptions, acknowledge } = setUp();
    subscriptions.add(A, VERSION - 1, SUBSCRIBED_AT_MS);
    connection.sendSubscribed = () => {
      subscriptions.clear();
      return true;
    };
    expect([acknowledge(), connection.sent]).toEqual([true, []]);
  });

  it('are attached to the connection as they change: the first change of several says so, unless changes are expected', () => {
    const { connection, subscriptions } = setUp();
    expect(subscriptions.attach(connection)).toBe(false);
    expect([subscriptions.noteChange(A), subscriptions.noteChange(B)]).toEqual([true, false]);
    expect([subscriptions.attach(undefined), subscriptions.attach(connection)]).toEqual([false, false]); // it was closed
    subscriptions.expectChanges();
    expect(subscriptions.noteChange(C)).toBe(false);
    expect([subscriptions.attach(connection), [...connection.topics]]).toEqual([true, [C]]);
  });

  it('need an update if the client has another version than the current one, higher or lower', () => {
    const acknowledged = `subscribed a,${VERSION}`;
    const update = `update a ${VERSION}`;
    expect(sentTo(VERSION, 'websocket')).toEqual([acknowledged]);
    for (const since of [VERSION - 1, VERSION + 1, 0]) {
      expect(sentTo(since, 'websocket')).toEqual([acknowledged, update]);
    }
  });

  it('need an update if the relay was stale when the client subscribed, whenever the topic changed', () => {
    const { hub, connection, subscriptions, acknowledge } = setUp();
    hub.fresh = false;
    subscriptions.add(A, null, SUBSCRIBED_AT_MS);
    acknowledge();
    hub.fresh = true;
    acknowledge();
    expect(connection.sent).toEqual(['subscribed a,', `subscribed a,${VERSION}`, `update a ${VERSION}`]);
  });

  it('need no update if the client names no version, because it has just fetched', () => {
    expect(sentTo(null, 'websocket', true)).toEqual([`subscribed a,${VERSION}`]);
  });

  it('of a legacy client need an update if it may have missed one on its way from another relay', () => {
    const update = `update a ${VERSION}`;
    expect(sentTo(null, 'legacy', true)).toContain(update);
    expect(sentTo(null, 'legacy', false)).not.toContain(update);
  });
});
