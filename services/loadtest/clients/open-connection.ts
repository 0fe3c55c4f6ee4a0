import type { TransportName } from '../../shared/protocol/transport-name.ts';
import { LongPollConnection } from '../wire/long-poll-connection.ts';
import type { ConnectionOptions, RawConnection } from '../wire/raw-connection.ts';
import { SseConnection } from '../wire/sse-connection.ts';
import { type Handshake, WebsocketConnection } from '../wire/websocket-connection.ts';

/**
 * Connects a client by its transport. `since` holds the versions that it has, in the order of its topics.
 *
 * @param options.tries how often the client may be redirected
 */
export function openConnection(
  options: Omit<ConnectionOptions, 'path'> & {
    transport: TransportName;
    topics: readonly string[];
    since: readonly number[] | undefined;
    token: string | undefined;
    tries: number;
    handshake: Handshake;
  },
): RawConnection {
  const { transport, topics, since, token, tries, handshake, ...common } = options;
  const query = topics.map((topic) => `topic=${topic}`);
  if (since && transport !== 'legacy') query.push(`since=${since.join(',')}`);
  if (token !== undefined) query.push(`token=${encodeURIComponent(token)}`);
  if (tries > 0 && (transport === 'websocket' || transport === 'sse')) query.push(`tries=${tries}`);
  switch (transport) {
    case 'websocket':
      return new WebsocketConnection({ ...common, path: `/ws?${query.join('&')}`, isLegacy: false, handshake });
    case 'legacy':
      return new WebsocketConnection({
        ...common,
        path: `/update_check?${query.join('&')}`,
        isLegacy: true,
        handshake,
      });
    case 'sse':
      return new SseConnection({ ...common, path: `/events?${query.join('&')}` });
    case 'long-poll': {
      const path = `/topics/${topics[0]}${token === undefined ? '' : `?token=${encodeURIComponent(token)}`}`;
      return new LongPollConnection({ ...common, path, since: since?.[0] });
    }
  }
}
