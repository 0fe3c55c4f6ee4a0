import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { endProcess } from '../support/bound-process.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import type { Bench, BenchContext, BenchResult } from './bench.ts';
import type { AttackName, Target } from './floods/attacks.ts';
import { startRole } from './servers/relay-cluster.ts';
import type { ServerProcess } from './servers/server-process.ts';
import { collect, type Samples, summarize } from './statistics.ts';
import { pause } from './test-bed.ts';

const ATTACKER = fileURLToPath(new URL('floods/attacker.ts', import.meta.url));
const HONEST_TOKEN = 'an-honest-publisher-of-the-bench';
const ATTACKER_TOKEN = 'a-compromised-publisher-of-the-bench';
const STATS_TOKEN = 'a-token-of-the-statistics';
/** An attack without an end of its own lasts this long. */
const ATTACK_MS = 2000;
const MAX_ATTACK_MS = 10_000;
const HONEST_INTERVAL_MS = 20;
/** An honest request that takes longer ends the measurement. */
const MAX_DELAY_MS = 15_000;
const HONEST_TRACES = 20;
/** Reports of call statistics are stored once a second. */
const STORED_AFTER_MS = 2500;
const KIB = 1024;
const MIB = KIB * KIB;

interface Flood {
  readonly attack: AttackName;
  readonly description: string;
  /** The process that it is aimed at. */
  readonly victim: 'relay' | 'webhook' | 'chat' | 'Redis';
  readonly secrets?: number;
}

const FLOODS: readonly Flood[] = [
  { attack: 'drip-webhook', description: 'bodies in chunks of a byte: `POST /webhook`', victim: 'webhook' },
  { attack: 'drip-chat', description: 'bodies in chunks of a byte: `POST /comments`', victim: 'chat' },
  { attack: 'drip-login', description: 'bodies in chunks of a byte: `POST /stats/login`', victim: 'webhook' },
  { attack: 'objects', description: '`data` of 20,000 objects for 100 topics', victim: 'relay' },
  { attack: 'forged-1', description: 'forged calls of 64 KiB, one secret', victim: 'webhook' },
  { attack: 'forged-5', description: 'forged calls of 64 KiB, five secrets', victim: 'webhook', secrets: 5 },
  { attack: 'handshakes-1', description: 'handshakes with a topic', victim: 'relay' },
  { attack: 'handshakes-128', description: 'handshakes with 128 topics', victim: 'relay' },
  { attack: 'subscribes', description: 'handshakes, then a message with 128 topics', victim: 'relay' },
  { attack: 'fill-redis', description: '45 calls with 63 KiB for 100 topics each', victim: 'Redis' },
  { attack: 'traceparent', description: '1,400 refused calls with a `traceparent`', victim: 'webhook' },
  { attack: 'scrapers', description: '50 scrapers of `/metrics`', victim: 'relay' },
];

type Processes = Partial<Record<Flood['victim'], Awaited<ReturnType<typeof startRole>>>>;

/** The cost of a flood. */
interface Cost {
  readonly sentBytes: number;
  readonly calls: number;
  readonly cpuUs: number;
  readonly grownBytes: number;
  readonly delayMs: number;
  readonly tracesLost: number;
}

/** A cluster under attack, with an honest publisher and client. */
class Scene {
  readonly #redis: RedisProcess;
  readonly #processes: Processes;
  readonly #victim: Flood['victim'];
  readonly #client: WebSocket;
  #version = 0;

  private constructor(redis: RedisProcess, processes: Processes, victim: Flood['victim']) {
    this.#redis = redis;
    this.#processes = processes;
    this.#victim = victim;
    const flooded = Array.from({ length: 100 }, (_, i) => `topic=flooded/${i}`).join('&');
    this.#client = new WebSocket(`ws://127.0.0.1:${processes.relay?.port}/ws?topic=honest&${flooded}`);
    this.#client.on('message', (data) => {
      const [, version] = /^\{"type":"update","topic":"honest","version":(\d+)/.exec(String(data)) ?? [];
      if (version !== undefined) this.#version = Number(version);
    });
  }

  static async start({ victim, secrets = 1 }: Flood, build: string | undefined): Promise<Scene> {
    const redis = await RedisProcess.start();
    const keys = Array.from({ length: secrets }, () => `whsec_${randomBytes(24).toString('base64')}`);
    const env = { REDIS_URL: redis.url, STATS_TOKEN };
    const processes: Processes = {};
    const begin = async () => {
      const credentials = {
        WEBHOOK_TOKENS: `${HONEST_TOKEN},${ATTACKER_TOKEN}`,
        WEBHOOK_SECRETS: keys.join(','),
      };
      [processes.relay, processes.webhook] = await Promise.all([
        startRole({ build, role: 'relay', env: { ...env, ALLOWED_ORIGINS: '*' } }),
        startRole({ build, role: 'webhook', env: { ...env, ...credentials } }),
      ]);
      if (victim === 'chat') {
        const url = `http://127.0.0.1:${processes.webhook.port}`;
        const chat = { WEBHOOK_URL: url, WEBHOOK_TOKEN: HONEST_TOKEN, CHAT_DB: ':memory:' };
        processes.chat = await startRole({ build, role: 'chat', env: { ...env, ...chat } });
      }
      const scene = new Scene(redis, processes, victim);
      await once(scene.#client, 'open');
      return scene;
    };
    return begin().catch(async (error) => {
      await Promise.all([redis.stop(), ...Object.values(processes).map(({ process }) => process.stop())]);
      throw error;
    });
  }

  async cost(attack: AttackName): Promise<Cost> {
    for (let i = 0; i < 20; i += 1) await this.#honest(); // compiles
    const traces = attack === 'traceparent' ? await this.#honestTraces() : [];
    const quietUs = await this.#quietUsPerMs();
    const before = await this.#memory();
    const cpuBefore = this.#process?.cpuUs ?? 0;
    const startedMs = performance.now();
    const target: Target = {
      relay: this.#port('relay'),
      webhook: this.#port('webhook'),
      chat: this.#port('chat'),
      relayAdmin: this.#processes.relay?.adminPort ?? 0,
      webhookAdmin: this.#processes.webhook?.adminPort ?? 0,
      token: ATTACKER_TOKEN,
      durationMs: ATTACK_MS,
      maxDurationMs: MAX_ATTACK_MS,
    };
    const attacker = fork(ATTACKER, [attack, JSON.stringify(target)]);
    let sent: { bytes: number; calls: number } | undefined;
    let grown = 0;
    let isOver = false;
    const delays: number[] = [];
    const honest = (async () => {
      while (!isOver) {
        delays.push(await this.#honest());
        await pause(HONEST_INTERVAL_MS);
      }
    })();
    const watch = (async () => {
      while (!isOver) {
        grown = Math.max(grown, (await this.#memory()) - before);
        await pause(50);
      }
    })();
    try {
      [sent] = (await once(attacker, 'message')) as [{ bytes: number; calls: number }];
      delays.push(await this.#honest()); // everything that was sent before has been handled
    } finally {
      isOver = true;
      await Promise.all([honest, watch]);
      await endProcess(attacker);
    }
    const cpuUs = (this.#process?.cpuUs ?? 0) - cpuBefore - quietUs * (performance.now() - startedMs);
    return {
      sentBytes: sent.bytes,
      calls: sent.calls,
      cpuUs: Math.max(0, cpuUs),
      grownBytes: grown,
      delayMs: Math.max(...delays),
      tracesLost: await this.#tracesLost(traces),
    };
  }

  async stop(): Promise<void> {
    this.#client.terminate();
    await Promise.all(Object.values(this.#processes).map(({ process }) => process.stop()));
    await this.#redis.stop();
  }

  get #process(): ServerProcess | undefined {
    return this.#processes[this.#victim]?.process;
  }

  #port(role: 'relay' | 'webhook' | 'chat'): number {
    return this.#processes[role]?.port ?? 0;
  }

  /** The memory of the victim, without a garbage collection, in bytes. */
  async #memory(): Promise<number> {
    if (this.#process) return this.#process.residentBytes;
    const info = String(await askRedis(this.#redis.port, 'INFO', 'memory'));
    return Number(/used_memory:(\d+)/.exec(info)?.[1]);
  }

  /** Returns how long an honest request takes: from the call of a publisher until its client has the update; at the chat, its page. */
  async #honest(headers: Record<string, string> = {}): Promise<number> {
    const startedMs = performance.now();
    const tookMs = () => Math.min(MAX_DELAY_MS, performance.now() - startedMs);
    const signal = AbortSignal.timeout(MAX_DELAY_MS);
    if (this.#victim === 'chat') {
      const page = await fetch(`http://127.0.0.1:${this.#port('chat')}/`, { signal }).catch(() => undefined);
      await page?.text().catch(() => {});
      return tookMs();
    }
    let version = Number.POSITIVE_INFINITY;
    while (tookMs() < MAX_DELAY_MS && this.#version < version) {
      if (version === Number.POSITIVE_INFINITY) version = await this.#publish(headers, signal);
      else await pause(1);
    }
    return tookMs();
  }

  /** Returns the version of the update; infinity if the webhook refused it. */
  async #publish(headers: Record<string, string>, signal: AbortSignal): Promise<number> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port('webhook')}/webhook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${HONEST_TOKEN}`, ...headers },
        body: '{"topic":"honest"}',
        signal,
      });
      const { updates } = (await response.json()) as { updates?: readonly { version: number }[] };
      return updates?.[0]?.version ?? Number.POSITIVE_INFINITY;
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }

  /** The CPU of the victim for honest work alone. */
  async #quietUsPerMs(): Promise<number> {
    const [startedMs, before] = [performance.now(), this.#process?.cpuUs ?? 0];
    while (performance.now() - startedMs < 500) {
      await this.#honest();
      await pause(HONEST_INTERVAL_MS);
    }
    return ((this.#process?.cpuUs ?? 0) - before) / (performance.now() - startedMs);
  }

  /** Publishes with sampled traces. Returns their ids once they are stored. */
  async #honestTraces(): Promise<readonly string[]> {
    const ids = Array.from({ length: HONEST_TRACES }, () => randomBytes(16).toString('hex'));
    for (const id of ids) await this.#honest({ traceparent: `00-${id}-${randomBytes(8).toString('hex')}-01` });
    await pause(STORED_AFTER_MS);
    return ids;
  }

  async #tracesLost(ids: readonly string[]): Promise<number> {
    if (ids.length > 0) await pause(STORED_AFTER_MS);
    const headers = { authorization: `Bearer ${STATS_TOKEN}` };
    const admin = this.#processes.webhook?.adminPort;
    let lost = 0;
    for (const id of ids) {
      const response = await fetch(`http://127.0.0.1:${admin}/stats/traces/${id}`, { headers });
      await response.text();
      if (response.status === 404) lost += 1;
    }
    return lost;
  }
}

async function run({ quick, against, progress }: BenchContext): Promise<BenchResult> {
  const builds = [
    ...(against === undefined ? [] : [{ build: against, name: 'other build' }]),
    { build: undefined, name: 'this build' },
  ];
  const floods = quick ? FLOODS.slice(0, 1) : FLOODS;
  const samples: Samples = {};
  const rows: string[][] = [];
  for (const flood of floods) {
    for (const { build, name } of builds) {
      progress(`${flood.attack}, ${name}`);
      const scene = await Scene.start(flood, build);
      try {
        const cost = await scene.cost(flood.attack);
        for (const [key, value] of Object.entries(cost)) collect(samples, `${flood.attack}, ${name}: ${key}`, value);
        rows.push([flood.description, name, ...render(flood, cost)]);
      } finally {
        await scene.stop();
      }
    }
  }
  return {
    columns: [
      'flood',
      'build',
      'sent, KiB',
      'of what',
      'CPU per KiB sent, µs',
      'memory grown, MiB',
      'per byte sent, bytes',
      'longest honest delay, ms',
    ],
    rows,
    goals: floods.map(({ attack, description }) => ({
      description: `memory grown by ${description}, MiB`,
      atMost: 64,
      measured: summarize(samples[`${attack}, this build: grownBytes`]).median / MIB,
    })),
    samples,
  };
}

function render({ victim, attack }: Flood, { sentBytes, cpuUs, grownBytes, delayMs, tracesLost }: Cost): string[] {
  const lost = attack === 'traceparent' ? `; ${tracesLost} of ${HONEST_TRACES} honest traces lost` : '';
  return [
    (sentBytes / KIB).toFixed(0),
    victim,
    victim === 'Redis' ? '' : (cpuUs / (sentBytes / KIB)).toFixed(0),
    (grownBytes / MIB).toFixed(1),
    (grownBytes / sentBytes).toFixed(1),
    delayMs >= MAX_DELAY_MS ? `${MAX_DELAY_MS} or more` : delayMs.toFixed(0) + lost,
  ];
}

export const FLOODS_BENCH: Bench = {
  name: 'floods',
  description:
    'What floods cost the process that they are aimed at, and how long honest updates take meanwhile (at the chat: its page)',
  run,
};
