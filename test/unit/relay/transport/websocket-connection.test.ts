import { describe, expect, it } from 'vitest';
import { JSON_ENCODER } from '../../../../services/relay/transport/message-encoder.ts';
import {
  type Socket,
  WebsocketConnection,
} from '../../../../services/relay/transport/websocket/websocket-connection.ts';

const LIMITS = { stuckMs: 120_000, heardMs: 10_000 };

/** A connection whose socket counts pings. */
function open() {
  const seen = { pings: 0, closed: 0 };
  const socket: Partial<Socket> = {
    getBufferedAmount: () => 0,
    ping() {
      seen.pings += 1;
    },
    close() {
      seen.closed += 1;
    },
  };
  return { seen, connection: new WebsocketConnection(socket as Socket, JSON_ENCODER, 0) };
}

describe('a sweep of a WebSocket', () => {
  it('pings a client that answered the last ping, and none that has sent something since', () => {
    const { seen, connection } = open();
    expect(connection.sweep(45_000, LIMITS)).toBe(true);
    connection.ponged(45_100);
    expect(connection.sweep(90_000, LIMITS)).toBe(true);
    expect(seen.pings).toBe(2);
    connection.ponged(90_100);
    connection.progressed(130_000); // a message
    expect(connection.sweep(135_000, LIMITS)).toBe(true);
    expect(seen.pings).toBe(2);
    expect(connection.sweep(180_000, LIMITS)).toBe(true);
    expect(seen).toEqual({ pings: 3, closed: 0 });
  });

  it('closes a client that has read nothing for too long', () => {
    const { seen, connection } = open();
    expect(connection.sweep(120_001, LIMITS)).toBe(false);
    expect(seen).toEqual({ pings: 0, closed: 1 });
  });
});
