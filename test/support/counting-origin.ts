import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { Worker } from 'node:worker_threads';

/** The web app behind a cluster, on a thread of its own, so that its clock does not wait for its clients. */
export interface CountingOrigin {
  /** Fetches the page once. */
  fetch(): void;
  /** When each request came, in milliseconds, once so many have. */
  requests(count: number): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const SOURCE = `
const { createServer } = require('node:http');
const { parentPort } = require('node:worker_threads');
const times = [];
let wanted = Infinity;
const tell = () => {
  if (times.length < wanted) return;
  wanted = Infinity;
  parentPort.postMessage(times);
};
const server = createServer((request, response) => {
  times.push(performance.timeOrigin + performance.now());
  response.end('ok');
  tell();
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
parentPort.on('message', (count) => {
  wanted = count;
  tell();
});
`;

/** Starts an app that notes when it is asked. */
export async function startCountingOrigin(): Promise<CountingOrigin> {
  const worker = new Worker(SOURCE, { eval: true });
  const [port] = await once(worker, 'message');
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    fetch: () => void get({ host: '127.0.0.1', port, agent }, (response) => response.resume()).on('error', () => {}),
    async requests(count) {
      const answer = once(worker, 'message');
      worker.postMessage(count);
      const [times] = await answer;
      return times;
    },
    async stop() {
      agent.destroy();
      await worker.terminate();
    },
  };
}
