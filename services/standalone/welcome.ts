/** What `npm start` says once everything listens: where things are, and a call that publishes. */
export function welcome(options: {
  ports: { webhook: number; relay: number; chat: number };
  token: string;
  topic: string;
  inMemory: boolean;
}): string {
  const { ports, token, topic, inMemory } = options;
  return `
Heliograph is running${inMemory ? ', all in this process and in memory' : ' on Redis'}.

  chat     http://localhost:${ports.chat}/        open it in two windows
  relay    ws://localhost:${ports.relay}/ws?topic=${topic}
  webhook  http://localhost:${ports.webhook}/webhook

Tell everybody that the topic "${topic}" has changed:

  curl -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' \\
    -d '{"topic":"${topic}"}' http://localhost:${ports.webhook}/webhook

`;
}
