import { Backoff } from '../../client/backoff.ts';

/** The module that a relay serves at `/client.js`. */
export type ClientModule = typeof import('../../client/heliograph-client.ts');

const FIRST_RETRY_MS = 1000;
const RETRY_CAP_MS = 30_000;

/** Loads the client library from the relay. Retries until it succeeds, and calls `onFailure` after each failed attempt. */
export async function loadClient(
  relayUrl: string,
  onFailure: () => void,
  load: (url: string) => Promise<ClientModule> = (url) => import(url),
): Promise<ClientModule> {
  const backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS });
  for (let tries = 0; ; tries += 1) {
    try {
      // Browsers cache that a module failed to load, so each retry needs another URL.
      return await load(`${relayUrl}/client.js${tries === 0 ? '' : `?try=${tries}`}`);
    } catch {
      onFailure();
      await new Promise((resolve) => setTimeout(resolve, backoff.nextMs()));
    }
  }
}
