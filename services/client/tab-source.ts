import type { ServerMessage } from '../shared/protocol/server-message.ts';
import type { ConnectorDeps } from './connector.ts';
import { type LeaderMessage, leadTabs, type TabRequest } from './tab-leader.ts';
import { LEADER_TIMEOUT_MS, PONG_TIMEOUT_MS } from './timings.ts';
import type { Source } from './transport.ts';

/** Returns whether this page can share a connection: every browser since 2022 can, with `https:` or on localhost. */
export function canShare(): boolean {
  return Boolean(globalThis.document && navigator.locks);
}

/**
 * Creates a source that shares one connection with all tabs of this origin that use the same name. The tab that holds
 * the lock of that name is the leader and keeps the connection; if it is closed, frozen or hangs, another takes over.
 */
export function createTabSource(deps: ConnectorDeps & { name: string }): Source {
  const { name, topics } = deps;
  const tab = Math.random();
  const channel = new BroadcastChannel(name);
  const lifetime = new AbortController();
  let candidacy: AbortController | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let stopLeading = () => {};

  function send(request: Partial<TabRequest>): void {
    if (!lifetime.signal.aborted) channel.postMessage({ tab, topics, all: true, ...request });
  }

  /** Requests the lock, and leads while this tab holds it. `steal` takes it from a leader that does not respond. */
  function requestLead(steal = false): void {
    candidacy?.abort();
    candidacy = new AbortController();
    const { signal } = candidacy;
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
        // AbortError: the request was aborted, or the lock stolen. Otherwise the page may not use locks: it leads alone.
        return error === 'AbortError' ? undefined : lead();
      })
      .then(() => {
        stop();
        if (!signal.aborted) requestLead();
      });
  }

  /** Checks whether there is a leader. A hidden tab does not replace it, because it may be about to be frozen as well. */
  function wake(): void {
    send({ wake: true });
    clearTimeout(silence);
    if (!document.hidden) silence = setTimeout(() => requestLead(true), PONG_TIMEOUT_MS);
  }

  function watchSilence(): void {
    clearTimeout(silence);
    silence = setTimeout(wake, LEADER_TIMEOUT_MS);
  }

  /** Gives up the lead: in a left or frozen page the channel still works, but neither connection nor timers do. */
  function suspend(): void {
    send({ topics: new Map() });
    clearTimeout(silence);
    candidacy?.abort();
    stopLeading();
  }

  function resume(): void {
    wake();
    requestLead();
  }

  function receive(message: ServerMessage): void {
    // A version that this tab has was for another tab, which was further behind.
    if (message.type !== 'update' || topics.get(message.topic) !== message.version) deps.message(message);
  }

  channel.onmessage = ({ data }: MessageEvent<LeaderMessage & Partial<TabRequest>>) => {
    if (data.tab) return; // from another tab to the leader
    watchSilence();
    if (data.leads) send({});
    else if (data.status) deps.status(data.status);
    else if (data.message) receive(data.message);
  };
  const { signal } = lifetime;
  globalThis.addEventListener('online', wake, { signal });
  globalThis.addEventListener('pagehide', suspend, { signal });
  globalThis.addEventListener('pageshow', ({ persisted }) => persisted && resume(), { signal });
  document.addEventListener('freeze', suspend, { signal });
  document.addEventListener('resume', resume, { signal });
  document.addEventListener('visibilitychange', () => document.hidden || wake(), { signal });
  return {
    connect() {
      deps.status('connecting');
      resume();
    },
    wake,
    subscribe: (added) => send({ topics: added, all: false }),
    unsubscribe: () => send({}),
    close() {
      suspend();
      lifetime.abort();
      channel.close();
      deps.status('offline');
    },
  };
}
