/** A ready-made example. `{relay}`, `{relayWs}`, `{webhook}` and `{topic}` are replaced by the addresses and the topic. */
export interface Snippet {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly template: string;
}

/** Values of the placeholders. Addresses have no slash at the end. */
export interface SnippetValues {
  readonly relay: string;
  readonly webhook: string;
  readonly topic: string;
}

export const SNIPPETS: readonly Snippet[] = [
  {
    id: 'curl',
    title: 'Publish with curl',
    text: 'Whatever the body is. Put a token of WEBHOOK_TOKENS into $WEBHOOK_TOKEN.',
    template: 'curl -X POST -H "Authorization: Bearer $WEBHOOK_TOKEN" "{webhook}/webhook/{topic}"',
  },
  {
    id: 'library',
    title: 'Browser library',
    text: 'Reconnects, falls back to other transports, and misses nothing.',
    template: `<script type="module">
  import { Heliograph } from '{relay}/client.js';

  const heliograph = new Heliograph('{relay}', { topics: ['{topic}'] });
  heliograph.on('update', ({ topic, version }) => console.log(topic, version));
</script>`,
  },
  {
    id: 'websocket',
    title: 'WebSocket',
    text: 'For clients in any language.',
    template: `const socket = new WebSocket('{relayWs}/ws?topic={topic}');
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`,
  },
  {
    id: 'sse',
    title: 'Server-sent events',
    text: 'A native EventSource; curl shows what arrives.',
    template: `const events = new EventSource('{relay}/events?topic={topic}');
events.addEventListener('update', ({ data }) => console.log(JSON.parse(data)));

// In a terminal: curl -N "{relay}/events?topic={topic}"`,
  },
  {
    id: 'long-poll',
    title: 'Long-poll',
    text: 'Returns the current version at once. With the ETag of the last answer in If-None-Match, waits for the next one.',
    template: 'curl -i -H "Prefer: wait=25" -H \'If-None-Match: "0"\' "{relay}/topics/{topic}"',
  },
  {
    id: 'htmx',
    title: 'htmx',
    text: 'htmx 2 with its extension for server-sent events fetches the path again after each update.',
    template: `<div hx-ext="sse" sse-connect="{relay}/events?topic={topic}">
  <main hx-get="/comments" hx-trigger="load, sse:subscribed, sse:update"></main>
</div>`,
  },
  {
    id: 'command-line',
    title: 'Command line',
    text: 'In a checkout of Heliograph or beside an installation: prints each update on a line.',
    template: 'npx heliograph listen {topic} --url {relay}',
  },
];

/** Returns the text of a snippet. */
export function fillSnippet(template: string, { relay, webhook, topic }: SnippetValues): string {
  const values: Readonly<Record<string, string>> = { relay, relayWs: relay.replace(/^http/, 'ws'), webhook, topic };
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}
