import type { Authorization } from '../../services/relay/access/authorization.ts';
import { AppError } from '../../services/shared/errors.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** Topics that need a token. */
export const PRIVATE_TOPICS: ReadonlySet<Topic> = new Set(['a:2', 'b/x'] as Topic[]);

/** Returns a token for all private topics in the form of a JWT, without a signature. */
export function createToken(expiresAtMs: number): string {
  return `.${btoa(JSON.stringify({ exp: expiresAtMs / 1000 }))}.`;
}

/** Creates the verification of these tokens. The clocks of processes may be wrong, and do not decide whether one is valid. */
export function createSimulatedAuthorization(deps: { process: SimulatedProcess; nowMs: () => number }): Authorization {
  const { process, nowMs } = deps;
  const isPublic = (topic: Topic) => !PRIVATE_TOPICS.has(topic);
  return {
    tokenRequired: false,
    anonymous: { hasToken: false, maySubscribe: isPublic, expiresAtMs: Number.POSITIVE_INFINITY },
    async check(token) {
      const leftMs = JSON.parse(atob(token.slice(1, -1))).exp * 1000 - nowMs();
      if (leftMs <= 0) throw new AppError('unauthorized');
      return { hasToken: true, maySubscribe: () => true, expiresAtMs: process.clock.nowMs() + leftMs };
    },
  };
}
