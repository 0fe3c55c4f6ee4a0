// Runs `npm start` on free ports, publishes an update, and waits for it at an event stream. Prints the engine that
// delivered it, as `heliograph_build_info` names it, such as `node (no_binary)`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const TIMEOUT_MS = 60_000;
const TOKEN = 'a-token-for-one-start';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Repeats an action until it succeeds. The timeout below ends the process. */
async function untilDone(action) {
  for (;;) {
    try {
      return await action();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

const names = ['RELAY_PORT', 'WEBHOOK_PORT', 'CHAT_PORT', 'ADMIN_PORT'];
const ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, String(await freePort())])));
const own = { ...ports, CHAT_DB: ':memory:', WEBHOOK_TOKENS: TOKEN };
const server = spawn(process.execPath, ['dist/standalone/main.js'], {
  env: { PATH: process.env.PATH, ...own },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let log = '';
server.stdout.on('data', (text) => {
  log += text;
});
const fail = (reason) => {
  process.stderr.write(`${log}\n${reason}\n`);
  server.kill('SIGKILL');
  process.exit(1);
};
setTimeout(() => fail('no update within a minute'), TIMEOUT_MS).unref();
server.once('exit', (code) => fail(`npm start exited with ${code}`));

const url = (name, path) => `http://127.0.0.1:${ports[name]}${path}`;
const { body } = await untilDone(() => fetch(url('RELAY_PORT', '/events?topic=chat')));
const decoder = new TextDecoder();
let received = '';
for await (const chunk of body) {
  const isFirst = received === '';
  received += decoder.decode(chunk, { stream: true });
  if (isFirst) {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const { status } = await fetch(url('WEBHOOK_PORT', '/webhook'), {
      method: 'POST',
      headers,
      body: '{"topic":"chat"}',
    });
    if (status !== 200) fail(`the webhook answers ${status}`);
  }
  if (received.includes('event: update')) break;
}
const metrics = await (await fetch(url('ADMIN_PORT', '/metrics'))).text();
const [, engine, reason] = /engine="(\w+)",engine_reason="(\w+)"/.exec(metrics) ?? fail('no engine in the metrics');
process.stdout.write(`${engine} (${reason})\n`);
server.removeAllListeners('exit');
server.kill('SIGTERM');
const [code] = await once(server, 'exit');
process.exit(code === 0 ? 0 : 1);
