import { type RedisOptions as AnyRedisOptions, Redis } from 'ioredis';
import type { Address, RedisConfig } from '../../config/redis-config.ts';
import { MANY_RELAYS } from '../retention.ts';
import { RedisBackoff } from './redis-backoff.ts';
import { formatAddress } from './redis-slot-map.ts';

/** Without the option that changes the types of replies. */
type RedisOptions = Omit<AnyRedisOptions, 'replyMapping'>;

/** The time without a reply or a message after which a connection is pinged, in milliseconds. */
const MAX_SILENCE_MS = 2000;
/** The same with many relays. A probe is due before by the default interval of repair, and replaces the ping. */
const MAX_SILENCE_OF_MANY_MS = 3500;

/** A silent connection is closed this much later than its first unanswered call fails, in milliseconds. */
const CLOSE_AFTER_TIMEOUT_MS = 1000;

/** The server to connect to: the configured one (or the master that Sentinel names), or a node of Redis Cluster. */
export type RedisTarget = 'configured' | Address;

/**
 * Creates a connection to Redis that neither queues nor repeats commands: a command fails immediately while there is no
 * connection, and at the latest after the time-out. A silent link (frozen server, dropped packets) is closed 3 s after the
 * time-out, which is 5 s by default, or 1.5 s later with more than a hundred relays. Reconnects until its owner disconnects it.
 * @param name shown by `CLIENT LIST`
 * @param relays returns the number of relays in the cluster, 0 if that is not known
 */
export function createRedisClient(
  config: RedisConfig,
  target: RedisTarget,
  name: string,
  relays: () => number = () => 0,
): Redis {
  const backoff = new RedisBackoff({ monotonicMs: () => performance.now() });
  const options: RedisOptions = {
    ...serverOptions(config, target),
    lazyConnect: true,
    connectionName: name,
    connectTimeout: config.timeoutMs,
    commandTimeout: config.timeoutMs,
    socketTimeout: config.timeoutMs + CLOSE_AFTER_TIMEOUT_MS,
    disconnectTimeout: 200,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    // CLIENT SETINFO (Redis 7.2 and newer) is refused to a narrow ACL user and would fill the ACL log.
    disableClientInfo: true,
    retryStrategy: () => backoff.nextDelayMs(),
    // A demoted master replies so until Sentinel names the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
  const redis = new LastingRedis(options, backoff);
  // The owner reports the state of the link; without a listener ioredis would print every failed attempt.
  redis.on('error', () => {});
  pingIfSilent(redis, relays);
  return redis;
}

/** Pings a connection that carries nothing else: each ping costs Redis as much as a tenth of all that an idle relay does. */
function pingIfSilent(redis: LastingRedis, relays: () => number): void {
  let heardAtMs = performance.now();
  redis.on('connect', () => {
    redis.stream.on('data', () => {
      heardAtMs = performance.now();
    });
  });
  const check = () => {
    if (redis.hasEnded) return;
    const maxMs = relays() > MANY_RELAYS ? MAX_SILENCE_OF_MANY_MS : MAX_SILENCE_MS;
    const leftMs = heardAtMs + maxMs - performance.now();
    if (leftMs <= 0 && redis.status === 'ready') redis.ping().catch(() => {});
    setTimeout(check, leftMs > 0 ? leftMs : maxMs).unref();
  };
  setTimeout(check, MAX_SILENCE_MS).unref();
}

/**
 * A connection that only its owner ends. ioredis stops reconnecting if no Sentinel names a master, or if its failover
 * detector reports a new master while it asks Sentinel for one: the detector takes that for a connection to the former
 * master. It also prints nothing: every failure is an `error` event, with the reason.
 */
class LastingRedis extends Redis {
  #ended = false;
  /** Why the Sentinels named no master, by address, since the last attempt that failed. */
  readonly #sentinelFailures = new Map<string, string>();

  constructor(options: RedisOptions, backoff: RedisBackoff) {
    super(options);
    this.#silence();
    this.on('ready', () => backoff.established());
    this.on('end', () => {
      if (this.#ended) return;
      setTimeout(() => {
        if (!this.#ended) this.connect().catch(() => {}); // the next `end` retries
      }, backoff.nextDelayMs()).unref();
    });
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Sends the commands of a turn of the event loop with one system call, which costs more than making a command. */
  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const { stream } = this;
    if (this.status === 'ready' && stream && stream.writableCorked === 0) {
      stream.cork();
      setImmediate(() => stream.uncork());
    }
    return super.sendCommand(...args);
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.#ended = true;
    super.disconnect(reconnect);
  }

  override silentEmit(eventName: string, arg?: unknown): boolean {
    if (!(arg instanceof Error)) return super.silentEmit(eventName, arg);
    if (eventName === 'sentinelError') this.#noteSentinelFailure(arg.message);
    return super.silentEmit(eventName, eventName === 'error' ? this.#explain(arg) : arg);
  }

  #noteSentinelFailure(message: string): void {
    const [, address = '', reason = 'does not know it'] =
      /sentinel (\S+) (?:because (.*)|successfully)/.exec(message) ?? [];
    // Its connection has reported why it was closed.
    if (reason === 'Connection is closed.' && this.#sentinelFailures.has(address)) return;
    this.#sentinelFailures.set(address, reason);
  }

  #explain(error: Error): Error {
    if (error.message.startsWith('All sentinels are unreachable')) {
      const failures = [...this.#sentinelFailures].map(([address, reason]) => `${address}: ${reason}`).sort();
      this.#sentinelFailures.clear();
      return new Error(`no Sentinel names the master; ${failures.join('; ')}`, { cause: error });
    }
    // A name with several addresses: the error itself has no message.
    if (error instanceof AggregateError) return new Error(error.errors.map(({ message }) => message).join('; '));
    return error;
  }

  /** Replaces the parts of ioredis that print, and those that connect to Sentinels without our options. */
  #silence(): void {
    const internals = this as unknown as Internals;
    const { connector } = internals;
    const info = internals.info.bind(this);
    // The check before `ready` is the only call with a callback. Prints, and goes on, if the user lacks the permission.
    internals.info = (argument) =>
      info(
        typeof argument === 'function'
          ? (error, reply) => argument(error && new Error(error.message.replace('NOPERM ', '')), reply)
          : argument,
      );
    const auth = internals.auth.bind(this);
    // Only of servers without HELLO. Prints that none is needed.
    internals.auth = (login) =>
      auth(login).catch((error: Error) => {
        if (!error.message.includes('without any password configured')) throw error;
      });
    const connectToSentinel = connector.connectToSentinel?.bind(connector);
    if (!connectToSentinel) return;
    connector.connectToSentinel = (address, options) => {
      const sentinel = connectToSentinel(address, { ...options, disableClientInfo: true });
      sentinel.on('error', ({ message }: Error) => {
        this.#sentinelFailures.set(formatAddress(address), message);
      });
      return sentinel;
    };
  }
}

/** The parts of ioredis that print, or that options do not reach. */
interface Internals {
  info(argument?: string | ((error: Error | null, reply?: string) => void)): Promise<string>;
  auth(login: string | string[]): Promise<unknown>;
  readonly connector: { connectToSentinel?(address: Address, options?: object): Redis };
}

function serverOptions(config: RedisConfig, target: RedisTarget): RedisOptions {
  const { servers, credentials, database } = config;
  const { username, password, sentinelUsername, sentinelPassword, ca, cert, key } = credentials;
  const tls = credentials.tls ? { tls: given({ ca, cert, key }) } : {};
  const common: RedisOptions = { ...tls, ...given({ username, password }) };
  if (target !== 'configured') return { ...common, ...target };
  if (servers.kind === 'single') return { ...common, ...servers.address, db: database };
  if (servers.kind === 'cluster') throw new TypeError('Redis Cluster has no single server: name a node');
  return {
    ...common,
    sentinels: servers.sentinels.map(({ host, port }) => ({ host, port })),
    name: servers.name,
    failoverDetector: true,
    sentinelRetryStrategy: () => null, // `LastingRedis` retries, and reports every failure
    sentinelCommandTimeout: config.timeoutMs,
    enableTLSForSentinelMode: credentials.tls,
    ...given({ sentinelUsername, sentinelPassword }),
    ...(tls.tls ? { sentinelTLS: tls.tls } : {}),
  };
}

/** Leaves out empty strings. */
function given<K extends string>(options: Readonly<Record<K, string>>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== '')) as Partial<Record<K, string>>;
}
