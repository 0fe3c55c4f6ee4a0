// Socket.IO with its Redis adapter: WebSockets only, one room per topic, updates emitted by another node.
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const redis = new Redis(process.env.REDIS_URL ?? '');
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  pingInterval: 55_000,
  pingTimeout: 120_000,
  adapter: createAdapter(redis, redis.duplicate()),
});
io.on('connection', (socket) => void socket.join(String(socket.handshake.query.topic)));
http.listen(Number(process.env.PORT), '127.0.0.1', () => console.info('up'));
