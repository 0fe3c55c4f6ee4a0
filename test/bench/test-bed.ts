import { Clients } from './clients/clients.ts';
import { machineNowMs } from './clients/machine-time.ts';
import { type ClientPlan, topicName } from './clients/messages.ts';
import type { Contender, RunningServer, StartOptions } from './servers/contender.ts';

/** Length of the text in an update besides its timestamp, in bytes: about a short chat message. */
const PADDING_BYTES = 100;
const PUBLISH_TICK_MS = 5;

/**
 * Arguments of Node.js under which memory is measured. V8's young generation grows once by up to 48 MiB when many clients
 * connect. Limiting it keeps this growth out of the memory per client.
 */
export const SMALL_YOUNG_GENERATION = ['--max-semi-space-size=1'];

/** The server of a contender with its own clients. */
export class TestBed {
  readonly name: string;
  readonly server: RunningServer;
  readonly clients: Clients;
  readonly #contender: Contender;

  private constructor(contender: Contender, server: RunningServer, clients: Clients) {
    this.name = contender.name;
    this.#contender = contender;
    this.server = server;
    this.clients = clients;
  }

  static async start(contender: Contender, options: StartOptions): Promise<TestBed> {
    const server = await contender.start(options);
    return new TestBed(contender, server, new Clients(server.caFile));
  }

  /** Connects `count` more clients, all to one topic unless the plan says otherwise. */
  async connect(count: number, plan: Partial<ClientPlan> = {}): Promise<void> {
    const { protocol, confirmsSubscription, plan: ownPlan } = this.#contender;
    const { port, caFile } = this.server;
    await this.clients.connect({
      protocol,
      port,
      isTls: caFile !== undefined,
      count,
      topics: 1,
      topicsPerClient: 1,
      confirmsSubscription,
      ...ownPlan,
      ...plan,
    });
  }

  /** Publishes an update of the first topic with a timestamp. */
  async publish(paddingBytes = PADDING_BYTES): Promise<void> {
    await this.server.publish(topicName(0), { at: machineNowMs(), text: 'x'.repeat(paddingBytes) });
  }

  /** Publishes updates of the first topic one by one, each after all subscribers have received the previous one. */
  async publishInTurn(updates: number, subscribers: number, paddingBytes = PADDING_BYTES): Promise<void> {
    for (let i = 0; i < updates; i += 1) {
      await Promise.all([this.clients.receive(subscribers), this.publish(paddingBytes)]);
    }
  }

  /** Publishes updates of the first topic at a constant rate, whether or not they are received. Returns their number. */
  async publishAtRate(options: { perSecond: number; seconds: number; paddingBytes?: number }): Promise<number> {
    const { perSecond, seconds, paddingBytes } = options;
    const updates = Math.round(perSecond * seconds);
    const startedMs = performance.now();
    let published = 0;
    for (let elapsedS = 0; elapsedS < seconds; elapsedS = (performance.now() - startedMs) / 1000) {
      const batch: Promise<void>[] = [];
      for (; published < Math.min(updates, elapsedS * perSecond); published += 1)
        batch.push(this.publish(paddingBytes));
      await Promise.all(batch);
      await pause(PUBLISH_TICK_MS);
    }
    return published;
  }

  /** Returns the CPU time of the server during an action, in microseconds. */
  async cpuUs(action: () => Promise<void>): Promise<number> {
    const before = this.server.process.cpuUs;
    await action();
    return this.server.process.cpuUs - before;
  }

  async stop(): Promise<void> {
    await this.clients.stop();
    await this.server.stop();
  }
}

/** Starts a test bed per contender, runs an action on them, and stops them in any case. */
export async function withTestBeds<T>(
  contenders: readonly Contender[],
  options: StartOptions,
  action: (beds: readonly TestBed[]) => Promise<T>,
): Promise<T> {
  const beds: TestBed[] = [];
  try {
    for (const contender of contenders) beds.push(await TestBed.start(contender, options));
    return await action(beds);
  } finally {
    await Promise.all(beds.map((bed) => bed.stop()));
  }
}

/** Rotates the items by the number of the round, so that each of them is first in turn. */
export function rotate<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Returns the items of each round, in turn first. */
export function inRounds<T extends object>(items: readonly T[], rounds: number): (T & { round: number })[] {
  return Array.from({ length: rounds }, (_, round) => rotate(items, round).map((item) => ({ ...item, round }))).flat();
}

/** Waits, for background work to finish or to measure an idle time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
