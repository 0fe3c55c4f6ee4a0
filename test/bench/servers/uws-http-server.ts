// The baseline over HTTP: uWebSockets.js alone, which writes the texts that it receives to all streams and waiting requests.
import { createRequire } from 'node:module';

const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js');
type HttpResponse = import('uWebSockets.js').HttpResponse;

const streams = new Set<HttpResponse>();
let waiting = new Set<HttpResponse>();
let version = 0;
let last = '{}';

const app = uws
  .App()
  .get('/events', (res) => {
    res.onAborted(() => streams.delete(res));
    res.cork(() => res.writeStatus('200 OK').writeHeader('Content-Type', 'text/event-stream').write(':\n\n'));
    streams.add(res);
  })
  .get('/topics/*', (res, req) => {
    if (req.getHeader('if-none-match') !== `"${version}"`) return respond(res, last);
    res.onAborted(() => waiting.delete(res));
    waiting.add(res);
  });
app.listen('127.0.0.1', Number(process.env.PORT), () => console.info('up'));

function respond(res: HttpResponse, text: string): void {
  res.cork(() => res.writeHeader('ETag', `"${version}"`).writeHeader('Content-Type', 'application/json').end(text));
}

process.on('message', ({ text }: { topic: string; text: string }) => {
  version += 1;
  last = text;
  const event = `event: update\ndata: ${text}\n\n`;
  // Corked: otherwise each chunk takes several system calls.
  for (const res of streams) res.cork(() => res.write(event));
  const responses = waiting;
  waiting = new Set();
  for (const res of responses) respond(res, text);
});
