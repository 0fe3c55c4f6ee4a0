import type { OpenClient } from '../support/transport-client.ts';
import { describeTransport } from './transport-contract.ts';

const open: OpenClient = async ({ http, topics, since, token }) => {
  const abort = new AbortController();
  const updates: { topic: string; version: number }[] = [];
  const known = new Map<string, number>();
  let mayRead = Promise.resolve();
  let resume = () => {};
  const state = { fresh: true, refusal: undefined as string | undefined, sentAway: false };

  async function ask(topic: string, etag: string | undefined, wait: number) {
    const headers: Record<string, string> = { prefer: `wait=${wait}` };
    if (etag !== undefined) headers['if-none-match'] = etag;
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    return fetch(`${http}/topics/${encodeURIComponent(topic)}`, { headers, signal: abort.signal });
  }

  /** The loop of a page that polls: asks, shows, asks again with what it has. */
  async function poll(topic: string): Promise<void> {
    const resumed = since?.get(topic);
    let etag = resumed === undefined ? undefined : `"${resumed}"`;
    for (;;) {
      const response = await ask(topic, etag, known.has(topic) ? 1 : 0);
      await mayRead;
      if (response.status === 200) {
        const update = await response.json();
        // The first response without a version is the content of the page, also if the relay was not fresh before.
        if (etag !== undefined) updates.push(update);
        known.set(topic, update.version);
        etag = response.headers.get('etag') ?? undefined;
        state.fresh = true;
      } else if (response.status === 304) {
        known.set(topic, Number(etag?.slice(1, -1)));
        state.fresh = true;
      } else {
        const { code } = await response.json();
        if (code === 'not_fresh') {
          state.fresh = false;
          await new Promise((resolve) => setTimeout(resolve, 20));
        } else if (code === 'draining') {
          state.sentAway = true;
          return;
        } else {
          state.refusal = code;
          return;
        }
      }
    }
  }

  for (const topic of topics) {
    poll(topic).catch((error: unknown) => {
      if (error instanceof TypeError) state.sentAway = true;
    });
  }
  return {
    updates,
    known,
    get fresh() {
      return state.fresh;
    },
    get refusal() {
      return state.refusal;
    },
    get isDrained() {
      return state.sentAway;
    },
    pause() {
      mayRead = new Promise((resolve) => {
        resume = resolve;
      });
    },
    resume: () => resume(),
    close: () => abort.abort(),
  };
};

describeTransport('long-poll', open);
