import { Latency } from '../../../services/loadtest/measure/latency.ts';
import { LongPollConnection } from '../../../services/loadtest/wire/long-poll-connection.ts';
import type { ConnectionOwner, RawConnection } from '../../../services/loadtest/wire/raw-connection.ts';
import { SseConnection } from '../../../services/loadtest/wire/sse-connection.ts';
import { parseTarget } from '../../../services/loadtest/wire/target.ts';
import { createHandshake, WebsocketConnection } from '../../../services/loadtest/wire/websocket-connection.ts';
import type { Protocol } from '../servers/contender.ts';
import { machineNowMs } from './machine-time.ts';
import { type Ages, type ClientPlan, topicName } from './messages.ts';
import { NchanLongPollConnection } from './nchan-long-poll-connection.ts';
import { SocketIoConnection } from './socket-io-connection.ts';

/** Handshakes in progress at a time; fewer than the listen backlog of a server. */
const OPENING_AT_ONCE = 256;
const CLIENTS_PER_ADDRESS = 5000;
const READ_BUFFER_BYTES = 64 * 1024;
const OLD_VERSION = 1;
const MARK = Buffer.from('"at":');

/** The clients of one process; they count updates and record their age. */
export class ClientPool implements ConnectionOwner {
  readonly #handshake = createHandshake();
  readonly #readBuffer = Buffer.alloc(READ_BUFFER_BYTES);
  readonly #ages = new Latency();
  #connections: RawConnection[] = [];
  #plan: ClientPlan | undefined;
  #next = 0;
  #ready = 0;
  #updates = 0;
  #updatesBefore = 0;
  #failure: string | undefined;
  readonly #waits = new Set<() => void>();

  /** Connects all clients of a plan; resolves once each is subscribed. */
  async connect(plan: ClientPlan): Promise<void> {
    this.#start(plan);
    await this.ready();
  }

  /** Resolves once each client of the plan is subscribed. */
  ready(): Promise<void> {
    return this.#until(() => this.#ready >= (this.#plan?.count ?? 0));
  }

  /** Resolves once `updates` updates have been received in total. */
  receive(updates: number): Promise<void> {
    return this.#until(() => this.#updates >= updates);
  }

  takeAges(): Ages {
    const updates = this.#updates - this.#updatesBefore;
    this.#updatesBefore = this.#updates;
    return { updates, total: this.#updates, histogram: this.#ages.take() };
  }

  disconnect(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }

  opened(): void {
    if (this.#plan?.confirmsSubscription === false) this.#clientReady();
  }

  message(_client: number, payload: Buffer): void {
    if (this.#isHttp) {
      // Over HTTP, everything else is the state at the start.
      if (payload.includes(MARK)) this.#update(payload);
      return;
    }
    const isSocketIo = this.#plan?.protocol === 'socket.io';
    // Socket.IO sends 40 for a connection and 42 for an event; in JSON, the type `update` or `subscribed` starts at byte 9.
    const kind = isSocketIo ? payload[1] : payload[9];
    if (kind === (isSocketIo ? 0x32 : 0x75)) this.#update(payload);
    else if (kind === (isSocketIo ? 0x30 : 0x73)) this.#clientReady();
  }

  signalled(): void {
    this.#count();
  }

  disconnected(client: number, reason: string): void {
    const { fallbackPort, ...plan } = this.#plan ?? {};
    if (fallbackPort !== undefined) {
      this.disconnect(); // the others are about to lose theirs
      this.#start({ ...(plan as ClientPlan), port: fallbackPort, since: OLD_VERSION });
      return;
    }
    this.#failure ??= `client ${client}: ${reason}`;
    this.#wake();
  }

  redirected(client: number): void {
    this.disconnected(client, 'redirected'); // these clients announce no tries
  }

  get #isHttp(): boolean {
    const protocol = this.#plan?.protocol;
    return protocol === 'sse' || protocol === 'long-poll' || protocol === 'nchan-long-poll';
  }

  #update(payload: Buffer): void {
    const at = payload.indexOf(MARK);
    if (at >= 0) {
      const text = payload.toString('latin1', at + MARK.length, at + MARK.length + 20);
      this.#ages.record(machineNowMs() - Number.parseFloat(text));
    }
    this.#count();
  }

  #count(): void {
    this.#updates += 1;
    this.#wake();
  }

  #clientReady(): void {
    this.#ready += 1;
    this.#wake();
    this.#connectNext();
  }

  async #until(isDone: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        if (!isDone() && this.#failure === undefined) return;
        this.#waits.delete(check);
        resolve();
      };
      this.#waits.add(check);
      check();
    });
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  #wake(): void {
    for (const check of this.#waits) check();
  }

  #start(plan: ClientPlan): void {
    this.#plan = plan;
    this.#next = 0;
    this.#ready = 0;
    for (let i = 0; i < OPENING_AT_ONCE; i += 1) this.#connectNext();
  }

  #connectNext(): void {
    const plan = this.#plan;
    if (!plan || this.#next >= plan.count) return;
    const number = this.#next;
    this.#next += 1;
    const target = parseTarget(`${plan.isTls ? 'https' : 'http'}://127.0.0.1:${plan.port}`);
    if (!target) throw new TypeError('invalid target');
    const options = {
      client: number,
      owner: this,
      target,
      sourceAddress: sourceAddress(number),
      readBuffer: this.#readBuffer,
      handshake: this.#handshake,
      isLegacy: plan.protocol === 'legacy',
      path: pathOf(plan, number),
    };
    this.#connections.push(createConnection[plan.protocol](options));
  }
}

type Options = ConstructorParameters<typeof WebsocketConnection>[0];
const createConnection: Readonly<Record<Protocol, (options: Options) => RawConnection>> = {
  websocket: (options) => new WebsocketConnection(options),
  legacy: (options) => new WebsocketConnection(options),
  'socket.io': (options) => new SocketIoConnection(options),
  sse: (options) => new SseConnection(options),
  'long-poll': (options) => new LongPollConnection({ ...options, since: 0 }),
  'nchan-long-poll': (options) => new NchanLongPollConnection(options),
};

/** Returns a loopback address: 5,000 clients share one, and each process has its own addresses. */
function sourceAddress(client: number): string {
  return `127.${1 + (process.pid % 250)}.0.${1 + Math.floor(client / CLIENTS_PER_ADDRESS)}`;
}

const PATHS: Readonly<Record<Protocol, string>> = {
  websocket: '/ws',
  legacy: '/update_check',
  'socket.io': '/socket.io/',
  sse: '/events',
  'long-poll': '/topics/',
  'nchan-long-poll': '/poll',
};

function pathOf(plan: ClientPlan, client: number): string {
  const { protocol, topics, firstTopic = 0, topicsPerClient, since, token } = plan;
  const first = firstTopic + client * topicsPerClient;
  const own = Array.from({ length: topicsPerClient }, (_, i) => (first + i) % topics);
  const query = own.map((topic) => `topic=${topicName(topic)}`);
  if (since !== undefined) query.push(`since=${own.map(() => since).join(',')}`);
  if (token !== undefined) query.push(`token=${token}`);
  if (protocol === 'socket.io') query.push('EIO=4&transport=websocket');
  return `${PATHS[protocol]}?${query.join('&')}`;
}
