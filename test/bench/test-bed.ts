import { Clients } from './clients/clients.ts';
import { machineNowMs } from './clients/machine-time.ts';
import { type ClientPlan, topicName } from './clients/messages.ts';
import type { Contender, RunningServer, StartOptions } from './servers/contender.ts';

/** How much text an update carries beside its marks, in bytes: about that of a short chat message. */
const PADDING_BYTES = 100;

/** A contender's server with clients of its own. */
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
    return new TestBed(contender, server, new Clients());
  }

  /** Connects so many clients, all to one topic unless the plan says something else. */
  async connect(count: number, plan: Partial<ClientPlan> = {}): Promise<void> {
    const { protocol, greets: isGreeted } = this.#contender;
    const { port } = this.server;
    await this.clients.connect({ protocol, port, count, topics: 1, topicsPerClient: 1, isGreeted, ...plan });
  }

  /** Publishes an update of the first topic that says when it was published. */
  async publish(paddingBytes = PADDING_BYTES): Promise<void> {
    await this.server.publish(topicName(0), { at: machineNowMs(), text: 'x'.repeat(paddingBytes) });
  }

  /** Publishes updates of a topic, each as soon as so many listeners all have the one before. */
  async publishInTurn(updates: number, listeners: number, paddingBytes = PADDING_BYTES): Promise<void> {
    for (let i = 0; i < updates; i += 1) {
      await Promise.all([this.clients.receive(listeners), this.publish(paddingBytes)]);
    }
  }

  /** The CPU time that the server takes while something is done, in microseconds. */
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

/** Starts a field for each contender, does something with them, and stops them whatever comes. */
export async function withTestBeds<T>(
  contenders: readonly Contender[],
  options: StartOptions,
  action: (fields: readonly TestBed[]) => Promise<T>,
): Promise<T> {
  const fields: TestBed[] = [];
  try {
    for (const contender of contenders) fields.push(await TestBed.start(contender, options));
    return await action(fields);
  } finally {
    await Promise.all(fields.map((field) => field.stop()));
  }
}

/** The fields of a round, each time beginning with another one, so that no one always comes first. */
export function rotate<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Lets what goes on by itself come to its end. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
