import { once } from 'node:events';
import type { OpenClient } from '../support/transport-client.ts';
import { WsClient } from '../support/ws-client.ts';
import { describeTransport } from './transport-contract.ts';

const open: OpenClient = async ({ http, topics, since, token }) => {
  const query = new URLSearchParams(topics.map((topic) => ['topic', topic]));
  if (since) query.set('since', topics.map((topic) => since.get(topic) ?? '').join(','));
  if (token !== undefined) query.set('token', token);
  const client = new WsClient(`${http.replace('http', 'ws')}/ws?${query}`);
  let refusal: string | undefined;
  client.socket.on('unexpected-response', async (_request, response) => {
    let body = '';
    for await (const chunk of response) body += chunk;
    refusal = JSON.parse(body).code;
  });
  await Promise.race([once(client.socket, 'open'), once(client.socket, 'unexpected-response')]);
  return {
    get updates() {
      return client.ofType('update').map(({ type: _, ...update }) => update);
    },
    get known() {
      const known = new Map<string, number>();
      for (const { type, topic, version, topics: numbers = {} } of client.messages) {
        if (type === 'update') known.set(topic, version);
        for (const [name, number] of Object.entries(numbers)) {
          if (typeof number === 'number' && !known.has(name)) known.set(name, number);
        }
      }
      return known;
    },
    get fresh() {
      return client.ofType('freshness').at(-1)?.fresh ?? true;
    },
    get refusal() {
      if (client.closed?.code === 4401) return 'unauthorized';
      return client.closed?.code === 4403 ? 'topic_forbidden' : refusal;
    },
    get isDrained() {
      return client.closed?.code === 1012;
    },
    pause: () => client.pause(),
    resume: () => client.resume(),
    close: () => client.terminate(),
  };
};

describeTransport('WebSocket', open);
