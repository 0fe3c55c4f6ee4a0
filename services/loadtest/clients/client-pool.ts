import type { Figures, Judgement, LastUpdates } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import type { ConnectionOwner, RawConnection } from '../wire/raw-connection.ts';
import { ToldCache } from '../wire/relay-message.ts';
import { createHandshake } from '../wire/websocket-connection.ts';
import { type ClientPlan, firstDueFrom, nthDueMs, type Schedule } from './client-plan.ts';
import { openConnection } from './open-connection.ts';
import { Knowledge } from './received-versions.ts';
import { topicName, topicsOf } from './topic-assignment.ts';
import { evenly, type TransportName, transportOf } from './transport-mix.ts';

const NEW = 0; // has not tried
const OPENING = 1; // tries for the first time
const OPEN = 2;
const FAILED = 3; // could not connect
const AWAY = 4; // was connected, and is not
const RETURNING = 5; // tries to come back

const READ_BUFFER_BYTES = 64 * 1024;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const COME_BACK_MS = 1000;

/** The clients of one process: who they are, what they know, and what befell them. */
export class Population implements ConnectionOwner {
  readonly #plan: ClientPlan;
  readonly #connections: (RawConnection | undefined)[];
  readonly #states: Uint8Array;
  readonly #startedMs: Float64Array;
  readonly #knowledge: Knowledge;
  readonly #cache = new ToldCache();
  readonly #handshake = createHandshake();
  readonly #readBuffer = Buffer.alloc(READ_BUFFER_BYTES);
  readonly #opening = new Set<number>();
  readonly #latency = new Latency();
  readonly #slowLatency = new Latency();
  readonly #handshakeLatency = new Latency();
  readonly #failed: Record<string, number> = {};
  readonly #lost: Record<string, number> = {};
  readonly #notBack: Record<string, number> = {};
  #schedule: Schedule | undefined;
  #open = 0;
  #opened = 0;
  #handshakes = 0;
  #deliveries = 0;
  #repeated = 0;
  #caughtUp = 0;

  constructor(plan: ClientPlan) {
    const { count, choice } = plan;
    this.#plan = plan;
    this.#connections = new Array(count).fill(undefined);
    this.#states = new Uint8Array(count);
    this.#startedMs = new Float64Array(count);
    this.#knowledge = new Knowledge({ choice, clients: count, numberOf: (client) => this.#numberOf(client) });
  }

  /** How many are connecting now. */
  get opening(): number {
    return this.#opening.size;
  }

  /** Tells it when updates are due, for clients that are not told what they are told of. */
  set schedule(schedule: Schedule) {
    this.#schedule = schedule;
  }

  isOpen(client: number): boolean {
    return this.#states[client] === OPEN;
  }

  isSlow(client: number): boolean {
    return evenly(this.#numberOf(client), 2) < this.#plan.slowShare;
  }

  connection(client: number): RawConnection | undefined {
    return this.#connections[client];
  }

  /** Connects a client, for the first time or again. */
  connect(client: number): void {
    const number = this.#numberOf(client);
    const { targets, sourceAddresses, choice, token } = this.#plan;
    const target = targets[number % targets.length];
    if (!target) throw new TypeError('there is no target');
    this.#states[client] = this.#states[client] === NEW ? OPENING : RETURNING;
    this.#startedMs[client] = preciseNowMs();
    this.#opening.add(client);
    const topics = topicsOf(choice, number).map((topic) => topicName(choice, topic));
    this.#connections[client] = openConnection({
      client,
      owner: this,
      target,
      sourceAddress: sourceAddresses[client % sourceAddresses.length],
      readBuffer: this.#readBuffer,
      transport: this.#transportOf(client),
      topics,
      since: this.#knowledge.since(client),
      token,
      handshake: this.#handshake,
    });
  }

  /** A client goes, and comes back within a second. */
  churn(client: number): void {
    this.#connections[client]?.close();
    this.#gone(client);
    this.#comeBack(client, Math.random() * COME_BACK_MS);
  }

  /** Gives up what takes too long to connect. */
  sweep(): void {
    const oldest = preciseNowMs() - HANDSHAKE_TIMEOUT_MS;
    for (const client of this.#opening) {
      if ((this.#startedMs[client] ?? 0) < oldest) this.#connections[client]?.end('no answer within 30 s');
    }
  }

  opened(client: number): void {
    this.#opening.delete(client);
    if (this.#states[client] === OPENING) this.#opened += 1;
    this.#states[client] = OPEN;
    this.#open += 1;
    this.#handshakes += 1;
    this.#handshakeLatency.record(preciseNowMs() - (this.#startedMs[client] ?? 0));
  }

  message(client: number, payload: Buffer): void {
    const told = this.#cache.read(payload);
    if (told.type === 'update') {
      const nowMs = preciseNowMs();
      if (this.#plan.mix.longpoll > 0 && this.#isFetched(client, told.topic)) {
        this.#knowledge.current(client, told.topic, told.version, nowMs);
        return;
      }
      const news = this.#knowledge.update(client, told, nowMs);
      if (news === 'repeated') this.#repeated += 1;
      else if (news === 'new') this.#told(client, told.mark?.dueMs, nowMs);
    } else if (told.type === 'subscribed') {
      for (const [topic, version] of told.numbers) {
        if (version !== null) this.#knowledge.current(client, topic, version, preciseNowMs());
      }
    } else if (told.type === 'error') this.#connections[client]?.end(`refused: ${told.code}`);
  }

  /**
   * Clients that are not told what they are told of are told of one update after the other. Where a relay puts several
   * into one frame they seem too late from then on, never too early.
   */
  updated(client: number): void {
    const nowMs = preciseNowMs();
    this.#knowledge.updated(client, nowMs);
    this.#deliveries += 1;
    if (!this.#schedule) return;
    const { choice } = this.#plan;
    const own = topicsOf(choice, this.#numberOf(client)).toSorted((a, b) => a - b);
    const audience = { own, topics: choice.topics };
    const next = this.#knowledge.told(client) ?? firstDueFrom(this.#schedule, audience, this.#startedMs[client] ?? 0);
    const dueMs = nthDueMs(this.#schedule, audience, next);
    const isNews = dueMs <= nowMs;
    this.#knowledge.noteTold(client, isNews ? next + 1 : next);
    if (isNews) this.#noteLatency(client, nowMs - dueMs);
    else this.#caughtUp += 1; // of what was due before it came
  }

  ended(client: number, reason: string, comeBackMs?: number): void {
    const state = this.#states[client];
    const reasons = state === OPENING ? this.#failed : state === RETURNING ? this.#notBack : this.#lost;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    this.#gone(client);
    if (state === OPENING) this.#states[client] = FAILED;
    else this.#comeBack(client, comeBackMs ?? COME_BACK_MS * (0.5 + Math.random()));
  }

  /** Looks who had the last update of each topic at that time. */
  judge(last: LastUpdates, atMs: number): Judgement {
    const { choice } = this.#plan;
    return this.#knowledge.judge(last, atMs, (client) => {
      const state = this.#states[client];
      if (state !== OPEN && state !== AWAY && state !== RETURNING) return undefined;
      const transport = this.#transportOf(client);
      const topics = transport === 'longpoll' ? 1 : choice.topicsPerClient;
      return { isOld: transport === 'update_check', isSlow: this.isSlow(client), topics };
    });
  }

  /** What happened so far; what was measured is given away. */
  figures(): Omit<Figures, 'utilization' | 'residentBytes' | 'cpuS'> {
    return {
      open: this.#open,
      opened: this.#opened,
      handshakes: this.#handshakes,
      failed: { ...this.#failed },
      lost: { ...this.#lost },
      notBack: { ...this.#notBack },
      deliveries: this.#deliveries,
      skipped: this.#knowledge.skipped,
      repeated: this.#repeated,
      caughtUp: this.#caughtUp,
      latency: this.#latency.take(),
      slowLatency: this.#slowLatency.take(),
      handshakeLatency: this.#handshakeLatency.take(),
    };
  }

  #numberOf(client: number): number {
    return this.#plan.first + client * this.#plan.step;
  }

  #transportOf(client: number): TransportName {
    return transportOf(this.#numberOf(client), this.#plan.mix);
  }

  /** Whether this is the register that a long-poll begins with. */
  #isFetched(client: number, topic: string): boolean {
    return this.#transportOf(client) === 'longpoll' && !this.#knowledge.knows(client, topic);
  }

  /** Notes how long it took; what was due before the client came is no news that was late. */
  #told(client: number, dueMs: number | undefined, nowMs: number): void {
    this.#deliveries += 1;
    if (dueMs === undefined) return;
    if (dueMs < (this.#startedMs[client] ?? 0)) this.#caughtUp += 1;
    else this.#noteLatency(client, nowMs - dueMs);
  }

  #noteLatency(client: number, ms: number): void {
    const isSlow = this.#plan.slowShare > 0 && this.isSlow(client);
    (isSlow ? this.#slowLatency : this.#latency).record(ms);
  }

  #gone(client: number): void {
    if (this.#states[client] === OPEN) this.#open -= 1;
    this.#states[client] = AWAY;
    this.#opening.delete(client);
    this.#connections[client] = undefined;
    this.#knowledge.away(client);
  }

  #comeBack(client: number, delayMs: number): void {
    setTimeout(() => this.connect(client), delayMs).unref();
  }
}
