// The least around Express and Redis: parses a JSON body, publishes it, and responds.
import express from 'express';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? '');
const app = express();
app.use(express.json());
app.post('/webhook', async (request, response) => {
  const { topic, ...body } = request.body;
  await redis.publish(`update:${topic}`, JSON.stringify(body));
  response.json({ updates: [{ topic, version: Date.now() * 1000 }] });
});
app.listen(Number(process.env.PORT), '127.0.0.1', () => console.info('up'));
