import { type ServerMessage, updateMessage } from '../../shared/protocol/server-message.ts';
import type { Dialect } from './dialect.ts';

const render = (message: ServerMessage): string => JSON.stringify(message);

/** What is said on `/ws`. */
export const JSON_DIALECT: Dialect = {
  transport: 'websocket',
  knowsSpread: true,
  listens: true,
  update: (update) => render(updateMessage(update)),
  subscribed: (numbers) => render({ type: 'subscribed', topics: Object.fromEntries(numbers) }),
  freshness: (fresh) => render({ type: 'freshness', fresh }),
  pong: () => render({ type: 'pong' }),
  error: (code, topic) => render({ type: 'error', code, ...(topic === undefined ? {} : { topic }) }),
};
