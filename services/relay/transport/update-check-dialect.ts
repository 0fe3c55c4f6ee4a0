import type { Dialect } from './dialect.ts';

/** What is said on `/update_check`, as in 2009: one word. Whatever the client says (`NOOP`) only keeps the line alive. */
export const UPDATE_CHECK_DIALECT: Dialect = {
  transport: 'update_check',
  knowsSpread: false,
  listens: false,
  update: () => 'UPDATED',
  subscribed: () => undefined,
  freshness: () => undefined,
  pong: () => undefined,
  error: () => undefined,
};
