// The baseline: uWebSockets.js alone, which publishes the texts that it receives and does nothing else.
import { createRequire } from 'node:module';

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js');

const pingIntervalS = Number(process.env.PING_INTERVAL_S);
const app = uws.App().ws<{ topics: string[] }>('/*', {
  // uWebSockets.js pings 8 s before the end of the timeout.
  idleTimeout: pingIntervalS === 0 ? 0 : pingIntervalS + 8,
  sendPingsAutomatically: pingIntervalS > 0,
  upgrade(res, req, context) {
    const topics = new URLSearchParams(req.getQuery()).getAll('topic');
    const [key, protocol] = [req.getHeader('sec-websocket-key'), req.getHeader('sec-websocket-protocol')];
    res.upgrade({ topics }, key, protocol, req.getHeader('sec-websocket-extensions'), context);
  },
  open(ws) {
    for (const topic of ws.getUserData().topics) ws.subscribe(topic);
  },
});
app.listen('127.0.0.1', Number(process.env.PORT), () => console.info('up'));
process.on('message', ({ topic, text }: { topic: string; text: string }) => app.publish(topic, text));
