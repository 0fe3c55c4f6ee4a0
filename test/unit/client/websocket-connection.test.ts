import { beforeEach, describe, expect, it } from 'vitest';
import type { TransportConnection } from '../../../services/client/transport.ts';
import { openWebSocket } from '../../../services/client/websocket-connection.ts';
import { createFakeWebSockets, type FakeWebSocket } from '../../support/fake-web-socket.ts';

/** The largest message that a relay accepts, in bytes. */
const MAX_MESSAGE_BYTES = 16 * 1024;

describe('a connection over a WebSocket', () => {
  let connection: TransportConnection;
  let socket: FakeWebSocket;
  let topics: Map<string, number | null>;
  const messages: unknown[] = [];
  const ends: [code: number, reason: string][] = [];

  beforeEach(() => {
    topics = new Map([['a', 5]]);
    messages.length = ends.length = 0;
  });

  function open(token?: string): void {
    const { WebSocket, sockets } = createFakeWebSockets();
    connection = openWebSocket(WebSocket, {
      url: 'https://relay/push',
      topics,
      token,
      triesLeft: 3,
      message: (message) => messages.push(message),
      closed: (code, reason) => ends.push([code, reason]),
    });
    socket = sockets[0] as FakeWebSocket;
  }

  it('sends its token, outside of the URL, and its topics as of when it opens', () => {
    open('t1');
    topics.set('a', 6).set('b', null);
    connection.subscribe(new Map([['b', null]]));
    socket.opens();
    expect(socket.url).toBe('wss://relay/push/ws?tries=3');
    expect(socket.sent).toEqual([
      { type: 'auth', token: 't1' },
      { type: 'subscribe', topics: { a: 6, b: null } },
    ]);
  });

  it('sends the newest token if it was renewed before opening', () => {
    open('t1');
    connection.auth('t2');
    socket.opens();
    expect(socket.sent[0]).toEqual({ type: 'auth', token: 't2' });
    connection.auth('t3');
    expect(socket.sent.at(-1)).toEqual({ type: 'auth', token: 't3' });
  });

  it('pings if there is no topic to confirm', () => {
    topics.clear();
    open();
    socket.opens();
    expect(socket.sent).toEqual([{ type: 'ping' }]);
  });

  it('subscribes to and unsubscribes from a thousand of the longest topics in messages of permitted size', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(128, '-'));
    topics = new Map(names.map((name) => [name, Number.MAX_SAFE_INTEGER]));
    open();
    socket.opens();
    connection.unsubscribe(names);
    expect(Math.max(...socket.sizes)).toBeLessThan(MAX_MESSAGE_BYTES);
    const of = (type: string) => socket.sent.filter((message) => message.type === type);
    expect(of('subscribe').flatMap((message) => Object.keys(message.topics))).toEqual(names);
    expect(of('unsubscribe').flatMap((message) => message.topics)).toEqual(names);
  });

  it('delivers messages, ignores invalid ones, and passes on how it closes', () => {
    open();
    socket.opens();
    for (const text of ['', '{', 'null', '{"type":"pong"}']) socket.receives(text);
    expect(messages).toEqual([{ type: 'pong' }]);
    socket.closes(1012, '750');
    expect(ends).toEqual([[1012, '750']]);
  });

  it('delivers nothing after it was closed, even if it was never open', () => {
    open();
    connection.close();
    socket.opens();
    socket.receives({ type: 'pong' });
    socket.closes(1006);
    expect([socket.sent, messages, ends]).toEqual([[], [], []]);
  });
});
