import type { MessageEncoder } from '../message-encoder.ts';

/** What is said on `/update_check`, as in 2009: one word. Whatever the client says (`NOOP`) only keeps the line alive. */
export const LEGACY_ENCODER: MessageEncoder = {
  transport: 'legacy',
  knowsSpread: false,
  listens: false,
  update: () => 'UPDATED',
  subscribed: () => undefined,
  freshness: () => undefined,
  pong: () => undefined,
  error: () => undefined,
};
