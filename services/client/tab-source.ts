import type { ServerMessage } from '../shared/protocol/server-message.ts';
import type { ConnectorDeps } from './connector.ts';
import { type LeaderMessage, leadTabs, type TabRequest } from './tab-leader.ts';
import { LEADER_TIMEOUT_MS, PONG_TIMEOUT_MS } from './timings.ts';
import type { Source } from './transport.ts';

/** Whether this is a tab that can share a line: with `https:` or on localhost, in every browser since 2022. */
export function canShare(): boolean {
  return Boolean(globalThis.document && navigator.locks);
}

/**
 * Keeps topics told over a line that all tabs of this origin share which use the same name: one of them leads, and
 * when that is closed or frozen, another.
 */
export function createTabSource(deps: ConnectorDeps & { name: string }): Source {
  const { name, topics } = deps;
  const tab = Math.random();
  const channel = new BroadcastChannel(name);
  const listening = new AbortController();
  let queueing: AbortController | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let stopLeading = () => {};

  function wish(wish: Partial<TabRequest>): void {
    if (!listening.signal.aborted) channel.postMessage({ tab, topics, all: true, ...wish });
  }

  /** Waits for its turn to lead, or takes it from who does not answer. */
  function queue(steal = false): void {
    queueing?.abort();
    queueing = new AbortController();
    const { signal } = queueing;
    let stop = () => {};
    const lead = () =>
      new Promise<void>((resolve) => {
        if (signal.aborted) return resolve();
        const end = leadTabs(deps);
        stop = stopLeading = () => {
          end();
          resolve();
        };
      });
    navigator.locks
      .request(name, steal ? { steal } : { signal }, lead)
      .catch(({ name: error }) => {
        // Otherwise it is not wanted any more, or was taken away. Where a page may use no locks it is on its own.
        return error === 'AbortError' ? undefined : lead();
      })
      .then(() => {
        stop();
        if (!signal.aborted) queue();
      });
  }

  /** Asks whether the tab that leads is there. A hidden one does not take its place: it may be frozen as well. */
  function wake(): void {
    wish({ wake: true });
    clearTimeout(silence);
    if (!document.hidden) silence = setTimeout(() => queue(true), PONG_TIMEOUT_MS);
  }

  /** Waits for the next sign of the tab that leads. */
  function listen(): void {
    clearTimeout(silence);
    silence = setTimeout(wake, LEADER_TIMEOUT_MS);
  }

  /** A tab that is left, or frozen, cannot lead: its channel goes on, but neither its line nor its timers do. */
  function leave(): void {
    wish({ topics: new Map() });
    clearTimeout(silence);
    queueing?.abort();
    stopLeading();
  }

  function comeBack(): void {
    wake();
    queue();
  }

  function take(message: ServerMessage): void {
    // What is known was meant for a tab that was further behind.
    if (message.type !== 'update' || topics.get(message.topic) !== message.version) deps.message(message);
  }

  channel.onmessage = ({ data }: MessageEvent<LeaderMessage & Partial<TabRequest>>) => {
    if (data.tab) return; // another one that follows
    listen();
    if (data.leads) wish({});
    else if (data.status) deps.status(data.status);
    else if (data.message) take(data.message);
  };
  const { signal } = listening;
  globalThis.addEventListener('online', wake, { signal });
  globalThis.addEventListener('pagehide', leave, { signal });
  globalThis.addEventListener('pageshow', ({ persisted }) => persisted && comeBack(), { signal });
  document.addEventListener('freeze', leave, { signal });
  document.addEventListener('resume', comeBack, { signal });
  document.addEventListener('visibilitychange', () => document.hidden || wake(), { signal });
  return {
    connect() {
      deps.status('connecting');
      comeBack();
    },
    wake,
    subscribe: (asked) => wish({ topics: asked, all: false }),
    unsubscribe: () => wish({}),
    close() {
      leave();
      listening.abort();
      channel.close();
      deps.status('offline');
    },
  };
}
