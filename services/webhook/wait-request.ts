import { parseDurationMs } from '../shared/config/units.ts';
import { AppError } from '../shared/errors.ts';

const DEFAULT_TIMEOUT_MS = 5000;
const MIN_TIMEOUT_MS = 100;
const MAX_TIMEOUT_MS = 30_000;

/**
 * Reads whether, and for how many milliseconds, a call wants to wait: `wait=delivered`, and perhaps `timeout=5s`.
 * undefined where it does not. Other parameters are ignored. Throws `invalid_request`.
 */
export function parseWait(query: URLSearchParams): { timeoutMs: number } | undefined {
  const [waits, timeouts] = [query.getAll('wait'), query.getAll('timeout')];
  if (waits.length === 0 && timeouts.length === 0) return undefined;
  if (waits.length !== 1 || waits[0] !== 'delivered') {
    throw new AppError('invalid_request', 'There is one thing to wait for: wait=delivered');
  }
  if (timeouts.length === 0) return { timeoutMs: DEFAULT_TIMEOUT_MS };
  const timeoutMs = timeouts.length === 1 ? parseDurationMs(timeouts[0] ?? '') : undefined;
  if (timeoutMs === undefined || timeoutMs < MIN_TIMEOUT_MS || timeoutMs > MAX_TIMEOUT_MS) {
    throw new AppError('invalid_request', 'timeout is a duration such as 500ms or 5s, from 100ms to 30s');
  }
  return { timeoutMs };
}
