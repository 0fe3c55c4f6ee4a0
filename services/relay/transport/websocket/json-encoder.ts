import { type ServerMessage, updateMessage } from '../../../shared/protocol/server-message.ts';
import type { MessageEncoder } from '../message-encoder.ts';

const render = (message: ServerMessage): string => JSON.stringify(message);

/** What is said on `/ws`. */
export const JSON_ENCODER: MessageEncoder = {
  transport: 'websocket',
  knowsSpread: true,
  listens: true,
  update: (update) => render(updateMessage(update)),
  subscribed: (numbers) => render({ type: 'subscribed', topics: Object.fromEntries(numbers) }),
  freshness: (fresh) => render({ type: 'freshness', fresh }),
  pong: () => render({ type: 'pong' }),
  error: (code, topic) => render({ type: 'error', code, ...(topic === undefined ? {} : { topic }) }),
};
