// Plain ws, broadcasting as in its README.
import { WebSocket, WebSocketServer } from 'ws';

const topics = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT) });
server.on('listening', () => console.info('up'));
server.on('connection', (client, request) => {
  client.on('error', () => {}); // a close follows
  for (const topic of new URL(request.url ?? '', 'ws://localhost').searchParams.getAll('topic')) {
    const clients = topics.get(topic) ?? new Set();
    topics.set(topic, clients.add(client));
    client.on('close', () => clients.delete(client));
  }
});
process.on('message', ({ topic, text }: { topic: string; text: string }) => {
  const bytes = Buffer.from(text);
  for (const client of topics.get(topic) ?? []) {
    if (client.readyState === WebSocket.OPEN) client.send(bytes, { binary: false });
  }
});
