import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { Worker } from 'node:worker_threads';

/** A web application that records its requests, in a worker thread so that a busy test does not delay its clock. */
export interface CountingOrigin {
  /** Fetches the page once. */
  fetch(): void;
  /** Resolves with the arrival times of all requests, in milliseconds, once there are at least `count`. */
  requests(count: number): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const SOURCE = `
const { createServer } = require('node:http');
const { parentPort } = require('node:worker_threads');
const times = [];
let wanted = Infinity;
const report = () => {
  if (times.length < wanted) return;
  wanted = Infinity;
  parentPort.postMessage(times);
};
const server = createServer((request, response) => {
  times.push(performance.timeOrigin + performance.now());
  response.end('ok');
  report();
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
parentPort.on('message', (count) => {
  wanted = count;
  report();
});
`;

/** Starts the application. */
export async function startCountingOrigin(): Promise<CountingOrigin> {
  const worker = new Worker(SOURCE, { eval: true });
  const [port] = await once(worker, 'message');
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    fetch: () => void get({ host: '127.0.0.1', port, agent }, (response) => response.resume()).on('error', () => {}),
    async requests(count) {
      const message = once(worker, 'message');
      worker.postMessage(count);
      const [times] = await message;
      return times;
    },
    async stop() {
      agent.destroy();
      await worker.terminate();
    },
  };
}
