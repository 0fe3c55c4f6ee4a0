// The baseline: uWebSockets.js alone, which publishes the texts that it receives and does nothing else.
import { createRequire } from 'node:module';

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js');

const app = uws.App().ws<{ topic: string }>('/*', {
  idleTimeout: 0,
  sendPingsAutomatically: false,
  upgrade(res, req, context) {
    const topic = new URLSearchParams(req.getQuery()).get('topic') ?? '';
    const [key, protocol] = [req.getHeader('sec-websocket-key'), req.getHeader('sec-websocket-protocol')];
    res.upgrade({ topic }, key, protocol, req.getHeader('sec-websocket-extensions'), context);
  },
  open(ws) {
    ws.subscribe(ws.getUserData().topic);
  },
});
app.listen('127.0.0.1', Number(process.env.PORT), () => console.info('up'));
process.on('message', ({ topic, text }: { topic: string; text: string }) => app.publish(topic, text));
