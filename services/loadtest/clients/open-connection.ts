import { TopicConnection } from '../wire/long-poll-connection.ts';
import type { ConnectionOptions, RawConnection } from '../wire/raw-connection.ts';
import { EventsConnection } from '../wire/sse-connection.ts';
import { type Handshake, WebsocketConnection } from '../wire/websocket-connection.ts';
import type { TransportName } from './transport-mix.ts';

/** Connects a client by its transport. `since` is what it knows of its topics, in their order. */
export function openConnection(
  options: Omit<ConnectionOptions, 'path'> & {
    transport: TransportName;
    topics: readonly string[];
    since: readonly number[] | undefined;
    token: string | undefined;
    handshake: Handshake;
  },
): RawConnection {
  const { transport, topics, since, token, handshake, ...common } = options;
  const query = topics.map((topic) => `topic=${topic}`);
  if (since && transport !== 'update_check') query.push(`since=${since.join(',')}`);
  if (token !== undefined) query.push(`token=${encodeURIComponent(token)}`);
  switch (transport) {
    case 'ws':
      return new WebsocketConnection({ ...common, path: `/ws?${query.join('&')}`, isOld: false, handshake });
    case 'update_check':
      return new WebsocketConnection({ ...common, path: `/update_check?${query.join('&')}`, isOld: true, handshake });
    case 'sse':
      return new EventsConnection({ ...common, path: `/events?${query.join('&')}` });
    case 'longpoll': {
      const path = `/topics/${topics[0]}${token === undefined ? '' : `?token=${encodeURIComponent(token)}`}`;
      return new TopicConnection({ ...common, path, since: since?.[0] });
    }
  }
}
