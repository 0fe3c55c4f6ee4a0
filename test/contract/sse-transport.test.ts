import { SseClient } from '../support/sse-client.ts';
import type { OpenClient } from '../support/transport-client.ts';
import { describeTransport } from './transport-contract.ts';

const open: OpenClient = async ({ http, topics, since, token }) => {
  const query = new URLSearchParams(topics.map((topic) => ['topic', topic]));
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (since) headers['last-event-id'] = topics.map((topic) => since.get(topic) ?? '').join(',');
  let client = await SseClient.open(`${http}/events?${query}`, headers);
  const ended = () => client.ended && client.status === 200;
  let refusal: string | undefined;
  let cameBack = false;
  /** Comes back once, as an EventSource does after the end of a stream, to learn whether it may. */
  async function comeBack(): Promise<void> {
    cameBack = true;
    const next = await SseClient.open(`${http}/events?${query}`, { ...headers, 'last-event-id': client.lastEventId });
    if (next.status === 200) next.close();
    else client = Object.assign(next, { events: client.events });
  }
  return {
    get updates() {
      return client.ofType('update').map(({ type: _, ...update }) => update);
    },
    get known() {
      const versions = client.lastEventId === '' ? [] : client.lastEventId.split(',').map(Number);
      return new Map(versions.map((version, i) => [topics[i] ?? '', version] as const));
    },
    get fresh() {
      return client.ofType('freshness').at(-1)?.fresh ?? true;
    },
    get refusal() {
      if (ended() && client.events.length > 0 && !cameBack) void comeBack().catch(() => {});
      if (client.status !== 200 && client.body !== '') refusal = JSON.parse(client.body).code;
      return refusal;
    },
    get isDrained() {
      return ended() && client.retryMs !== undefined;
    },
    pause: () => client.pause(),
    resume: () => client.resume(),
    close: () => client.close(),
  };
};

describeTransport('Server-Sent Events', open);
