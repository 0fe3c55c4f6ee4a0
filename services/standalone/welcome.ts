/** Renders the output of `npm start`: the addresses of all services, and a command that publishes. */
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

Publish an update of the topic "${topic}":

  curl -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' \\
    -d '{"topic":"${topic}"}' http://localhost:${ports.webhook}/webhook

`;
}
