import { Backoff } from '../../client/backoff.ts';

/** What a relay serves as `/client.js`. */
export type ClientModule = typeof import('../../client/heliograph-client.ts');

const FIRST_RETRY_MS = 1000;
const RETRY_CAP_MS = 30_000;

/** Loads the client library from the relay; where that fails calls back, and tries until it succeeds. */
export async function loadClient(
  relayUrl: string,
  failed: () => void,
  load: (url: string) => Promise<ClientModule> = (url) => import(url),
): Promise<ClientModule> {
  const backoff = new Backoff({ firstMs: FIRST_RETRY_MS, capMs: RETRY_CAP_MS });
  for (let tries = 0; ; tries += 1) {
    try {
      // A browser remembers that a module could not be loaded: each further try needs another name.
      return await load(`${relayUrl}/client.js${tries === 0 ? '' : `?try=${tries}`}`);
    } catch {
      failed();
      await new Promise((resolve) => setTimeout(resolve, backoff.nextMs()));
    }
  }
}
