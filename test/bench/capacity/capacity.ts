/** The load for which a cluster is planned. */
export interface Load {
  readonly relays: number;
  /** Updates per second. */
  readonly updates: number;
  /** Connected clients, each subscribed to one topic. */
  readonly clients: number;
  /** Topics with subscribers. */
  readonly topics: number;
}

/** Costs of single updates, relays, clients and topics on this machine: CPU in microseconds, memory in bytes. */
export interface UnitCosts {
  /** CPU of Redis for an update without the relays that hear it. */
  readonly redisUsPerUpdate: number;
  /** CPU of Redis for each relay that hears an update. */
  readonly redisUsPerReceiver: number;
  /** CPU of Redis for an idle relay, per second. */
  readonly redisUsPerRelaySecond: number;
  readonly redisBytesPerTopic: number;
  readonly webhookUsPerUpdate: number;
  /** CPU of a relay for an update that it hears, without its clients. */
  readonly relayUsPerUpdate: number;
  readonly relayUsPerDelivery: number;
  /** Of a relay without clients. */
  readonly relayBytes: number;
  readonly relayBytesPerClient: number;
  readonly relayBytesPerTopic: number;
}

/** The needs of a cluster. */
export interface Capacity {
  readonly redisCores: number;
  readonly redisBytes: number;
  readonly webhookCores: number;
  /** CPU of each relay; above 1 it does not fit into one process. */
  readonly coresPerRelay: number;
  readonly bytesPerRelay: number;
}

const MAX: Load = { relays: 10_000, updates: 10_000_000, clients: 1_000_000_000, topics: 1_000_000_000 };
const NAMES = Object.keys(MAX) as (keyof Load)[];

/**
 * Parses a load, such as `relays=200,updates=20000,clients=4000000,topics=1000000`.
 *
 * @throws {TypeError} names every problem
 */
export function parseLoad(text: string): Load {
  const problems: string[] = [];
  const values = new Map<string, number>();
  for (const item of text.split(',')) {
    const [name = '', value = ''] = item.split('=', 2);
    const most = MAX[name as keyof Load] as number | undefined;
    if (most === undefined || !Object.hasOwn(MAX, name)) problems.push(`unknown: ${JSON.stringify(item)}`);
    else if (values.has(name)) problems.push(`${name} is given twice`);
    else if (!/^[1-9]\d{0,9}$/.test(value) || Number(value) > most)
      problems.push(`${name} must be a whole number from 1 to ${most}`);
    values.set(name, Number(value));
  }
  const missing = NAMES.filter((name) => !values.has(name));
  if (missing.length > 0) problems.push(`missing: ${missing.join(', ')}`);
  if (problems.length > 0)
    throw new TypeError(`--capacity needs ${NAMES.map((name) => `${name}=N`).join(',')}; ${problems.join('; ')}`);
  return Object.fromEntries(values) as unknown as Load;
}

/** Computes what a load needs, if clients are spread evenly over topics and relays, and updates over topics. */
export function computeCapacity({ relays, updates, clients, topics }: Load, costs: UnitCosts): Capacity {
  const clientsPerTopic = clients / topics;
  // The number of relays on which at least one of the topic's clients is, on average.
  const receivers = relays * (1 - (1 - 1 / relays) ** clientsPerTopic);
  const redisUs =
    updates * (costs.redisUsPerUpdate + receivers * costs.redisUsPerReceiver) + relays * costs.redisUsPerRelaySecond;
  const relayUs =
    (updates * receivers * costs.relayUsPerUpdate) / relays +
    (updates * clientsPerTopic * costs.relayUsPerDelivery) / relays;
  return {
    redisCores: redisUs / 1e6,
    redisBytes: topics * costs.redisBytesPerTopic,
    webhookCores: (updates * costs.webhookUsPerUpdate) / 1e6,
    coresPerRelay: relayUs / 1e6,
    bytesPerRelay:
      costs.relayBytes + (clients * costs.relayBytesPerClient + topics * receivers * costs.relayBytesPerTopic) / relays,
  };
}
