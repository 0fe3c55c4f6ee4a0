import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../../support/free-port.ts';
import { buildsOf } from '../compare-builds.ts';
import type { MeasuredProcess } from '../servers/measured-process.ts';
import { startRelayCluster } from '../servers/relay-cluster.ts';
import { ServerProcess } from '../servers/server-process.ts';
import { collect, ratios, type Samples, showSummary, summarize } from '../statistics.ts';
import { rotate } from '../test-bed.ts';
import type { MeasurePart } from './part.ts';

/** Calls in flight. */
const AT_ONCE = 16;
/** Calls of each kind before the first round: code that V8 has not optimized yet costs twice as much. */
const WARM_UP_CALLS = 1600;
const TOKEN = 'a-token-of-the-bench';
const DATA = { text: 'x'.repeat(1000) };
const BASELINE = 'Express and one PUBLISH';

/** A kind of call: its body, path and headers. */
interface Kind {
  readonly name: string;
  readonly path?: string;
  body(i: number): object;
  headers(body: string): Readonly<Record<string, string>>;
}

/** A kind of call to one process. */
interface Contender {
  readonly name: string;
  readonly process: MeasuredProcess;
  readonly send: Send;
  readonly kind: Kind;
}

/** Sends a call; resolves once the response is complete. */
type Send = (kind: Kind, i: number) => Promise<void>;

function createSend(port: number, agent: Agent): Send {
  return ({ path = '/webhook', body, headers }, i) =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body(i));
      const all = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers(text) };
      const call = request({ port, path, method: 'POST', agent, headers: all }, (response) => {
        response.resume();
        response.on('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`the webhook answered ${response.statusCode}`));
        });
      });
      call.on('error', reject);
      call.end(text);
    });
}

/** Measures the CPU of a webhook per call, by kind of call, against the least that Express and Redis need. */
export const measureWebhookCost: MeasurePart = async ({ redis, quick, against, progress }, samples) => {
  const [rounds, calls] = quick ? [3, 320] : [7, 320];
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const signer = new Webhook(secret);
  const byToken = () => ({ authorization: `Bearer ${TOKEN}` });
  const topic = (i: number) => `chat/${i % 1000}`;
  const plain: Kind = { name: 'plain', body: (i) => ({ topic: topic(i) }), headers: byToken };
  const kinds: readonly Kind[] = [
    plain,
    { ...plain, name: 'idempotent', headers: () => ({ ...byToken(), 'webhook-id': randomUUID() }) },
    {
      ...plain,
      name: 'signed',
      headers(body) {
        const [id, now] = [randomUUID(), new Date()];
        const timestamp = String(Math.floor(now.getTime() / 1000));
        const signature = signer.sign(id, now, body);
        return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
      },
    },
    { ...plain, name: '1 KB of data', body: (i) => ({ topic: topic(i), data: DATA }) },
    { ...plain, name: '10 topics', body: (i) => ({ topics: Array.from({ length: 10 }, (_, k) => topic(10 * i + k)) }) },
    { ...plain, name: 'wait=delivered', path: '/webhook?wait=delivered' },
  ];
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const env = { WEBHOOK_TOKENS: TOKEN, WEBHOOK_SECRETS: secret, WEBHOOK_RATE: '0', WEBHOOK_STORAGE: '64MiB' };
  const clusters: Awaited<ReturnType<typeof startRelayCluster>>[] = [];
  const contenders: Contender[] = [];
  const basePort = await freePort();
  const express = await ServerProcess.start({
    main: fileURLToPath(new URL('../servers/express-server.ts', import.meta.url)),
    args: ['--import', fileURLToPath(new URL('../../support/typescript-loader.mjs', import.meta.url))],
    env: { PORT: String(basePort), REDIS_URL: redis.url },
    isUp: (output) => output.includes('up'),
  });
  const baseline = { name: BASELINE, process: express, send: createSend(basePort, agent), kind: plain };
  try {
    for (const { suffix, ...build } of buildsOf(against)) {
      const cluster = await startRelayCluster({ redisUrl: redis.url, env, ...build });
      clusters.push(cluster);
      await cluster.addRelay();
      const { process, port } = await cluster.addWebhook(env);
      for (const kind of kinds)
        contenders.push({ name: `${kind.name}${suffix}`, process, send: createSend(port, agent), kind });
    }
    let sent = 0;
    const nextNumber = () => {
      sent += 1;
      return sent;
    };
    for (let round = 0; round <= rounds; round += 1) {
      progress(`webhook calls: round ${round} of ${rounds}`);
      const [into, count]: [Samples, number] = round === 0 ? [{}, WARM_UP_CALLS] : [samples, calls];
      const cpuUs = async ({ process, send, kind }: Contender) => {
        const before = process.cpuUs;
        for (let i = 0; i < count; i += AT_ONCE) {
          await Promise.all(Array.from({ length: AT_ONCE }, () => send(kind, nextNumber())));
        }
        return (process.cpuUs - before) / count;
      };
      // The baseline as often as all others together: a process that waits for long is slow at first.
      const baselineUs: number[] = [];
      for (const contender of rotate(contenders, round)) {
        baselineUs.push(await cpuUs(baseline));
        collect(into, `webhook call: ${contender.name}`, await cpuUs(contender));
      }
      collect(into, `webhook call: ${BASELINE}`, summarize(baselineUs).median);
    }
  } finally {
    agent.destroy();
    await express.stop();
    await Promise.all(clusters.map((cluster) => cluster.stop()));
  }
  const base = samples[`webhook call: ${BASELINE}`];
  const ratiosOf = (name: string) => ratios(samples[`webhook call: ${name}`], base);
  return {
    rows: [BASELINE, ...contenders.map(({ name }) => name)].map((name) => [
      `webhook call: ${name}`,
      `${showSummary(samples[`webhook call: ${name}`], 0)} µs of the webhook`,
      name === BASELINE ? '' : `${BASELINE}: ${showSummary(ratiosOf(name), 2)}`,
    ]),
    goals: [
      {
        description: `CPU of a plain webhook call, relative to ${BASELINE}`,
        atMost: 2,
        measured: summarize(ratiosOf('plain')).median,
      },
    ],
  };
};
