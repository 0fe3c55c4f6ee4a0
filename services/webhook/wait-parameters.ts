import { parseDurationMs } from '../shared/config/units.ts';
import { AppError } from '../shared/errors.ts';

const DEFAULT_TIMEOUT_MS = 5000;
const MIN_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 30_000;

/**
 * Parses the query parameters with which a call waits for delivery: `wait=delivered` and optionally `timeout=5s`. Ignores
 * other parameters.
 *
 * @returns undefined if the call does not wait
 * @throws {AppError} invalid_request
 */
export function parseWaitParameters(query: URLSearchParams): { timeoutMs: number } | undefined {
  const [waits, timeouts] = [query.getAll('wait'), query.getAll('timeout')];
  if (waits.length === 0 && timeouts.length === 0) return undefined;
  if (waits.length !== 1 || waits[0] !== 'delivered') {
    throw new AppError('invalid_request', 'The only supported wait is wait=delivered');
  }
  if (timeouts.length === 0) return { timeoutMs: DEFAULT_TIMEOUT_MS };
  const timeoutMs = timeouts.length === 1 ? parseDurationMs(timeouts[0] ?? '') : undefined;
  if (timeoutMs === undefined || timeoutMs < MIN_TIMEOUT_MS || timeoutMs > MAX_TIMEOUT_MS) {
    throw new AppError('invalid_request', 'timeout must be a duration such as 500ms or 5s, from 100ms to 30s');
  }
  return { timeoutMs };
}
