import { describe, expect, it } from 'vitest';
import { AppError } from '../../services/shared/errors.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { seedsFrom } from './expect-promise.ts';
import type { RedisData } from './redis-data.ts';
import { runSchedule } from './run-simulation.ts';
import type { Sabotage } from './sabotage.ts';
import { REPAIR_INTERVAL_MS, type SimulatedRelay } from './simulated-relay.ts';
import type { SimulatedShard } from './simulated-shard.ts';
import type { SimulatedWebhook } from './simulated-webhook.ts';
import type { Simulation } from './simulation.ts';

const SEEDS = seedsFrom(5000, 10);

type Schedule = (simulation: Simulation) => Promise<void>;

/** Runs a schedule for several seeds, which decide clients, latencies and identities. */
async function expectNoFailures(schedule: Schedule): Promise<void> {
  for (const seed of SEEDS) {
    const { failures, trace } = await runSchedule({ seed, schedule });
    expect(failures, trace.slice(-60).join('\n')).toEqual([]);
  }
}

/** Runs a schedule for the same seeds, without a rule if one is named. Returns all failures. */
async function failuresOf(schedule: Schedule, sabotage?: Sabotage): Promise<readonly string[]> {
  const all: string[] = [];
  for (const seed of SEEDS) {
    const { failures } = await runSchedule({ seed, schedule, ...(sabotage && { sabotage }) });
    all.push(...failures);
  }
  return all;
}

/** Publishes an update by one webhook, as the app does. Resolves once it is acknowledged, which takes simulated time. */
async function startPublishing(simulation: Simulation, webhook: SimulatedWebhook, topic: Topic): Promise<void> {
  const { app, time, random } = simulation;
  const revision = app.save(topic);
  const versions = await webhook.post({ id: random.id(), topics: [topic], body: {} });
  app.acknowledge(topic, { revision, version: versions.get(topic) ?? 0, atMs: time.nowMs });
}

/** Does the same, and lets the time pass. */
async function publishBy(simulation: Simulation, webhook: SimulatedWebhook, topic: Topic): Promise<void> {
  const published = startPublishing(simulation, webhook, topic);
  await simulation.time.runFor(200);
  await published;
}

/** Returns two topics of one partition, the partition, and its shard. */
function inOnePartition({ topics, relays, cluster }: Simulation) {
  const partitionOf = (topic: Topic) => relays[0]?.broker.partitionOf(topic) ?? 0;
  const groups = topics.map((topic) => topics.filter((other) => partitionOf(other) === partitionOf(topic)));
  const [lost, other] = groups.find(({ length }) => length > 1) ?? [];
  if (!lost || !other) throw new Error('no partition has two topics');
  const partition = partitionOf(lost);
  const shard = cluster.shards[partition % cluster.shards.length];
  if (!shard) throw new Error('no shard');
  return { lost, other, partition, shard };
}

/** Waits until every relay has just run a digest, so that the next one is almost an interval away. */
async function untilDigested({ time, relays }: Simulation): Promise<void> {
  for (let i = 0; i < 10_000; i += 1) {
    await time.runFor(10);
    if (relays.every(({ hub }) => hub.fresh && hub.digestAgeMs < 1800)) return;
  }
  throw new Error('the relays never digest at the same time');
}

/** Redis loads data from before an update whose signals did not arrive, and another webhook publishes first. */
async function loadOlderData(
  simulation: Simulation,
  load: (shard: SimulatedShard, older: RedisData) => Promise<void>,
): Promise<void> {
  const { cluster, webhooks, time } = simulation;
  const [one, two] = webhooks as [SimulatedWebhook, SimulatedWebhook];
  const { lost, other, shard } = inOnePartition(simulation);
  await time.runFor(5000);
  await untilDigested(simulation);
  const older = shard.master.data.copy();
  cluster.network.signalLoss = 1;
  await publishBy(simulation, one, lost);
  await load(shard, older);
  await publishBy(simulation, two, other);
  cluster.network.signalLoss = 0;
}

/** The master restarts with older data, and the webhook whose update is lost dies. */
async function restartWithOlderData(simulation: Simulation): Promise<void> {
  await loadOlderData(simulation, async (shard, older) => {
    simulation.webhooks[0]?.kill();
    shard.kill();
    shard.restart(older);
    await simulation.time.runFor(1000); // until all are connected again
  });
  simulation.startWebhook(0);
}

/** Redis reloads older data in the same process. */
async function reloadOlderData(simulation: Simulation): Promise<void> {
  await loadOlderData(simulation, async (shard, older) => shard.reload(older));
}

/** The signals of an update do not arrive. */
async function loseSignals(simulation: Simulation): Promise<void> {
  const { cluster, webhooks, time } = simulation;
  await time.runFor(5000);
  cluster.network.signalLoss = 1;
  await publishBy(simulation, webhooks[0] as SimulatedWebhook, inOnePartition(simulation).lost);
  cluster.network.signalLoss = 0;
}

/** Relays subscribe at the replica. A full resynchronization with its master costs it the signals of an update. */
async function resynchronizeReplica(simulation: Simulation): Promise<void> {
  const { relays, webhooks, time } = simulation;
  const { lost, shard } = inOnePartition(simulation);
  const links = relays.map(({ process }) => `${process.name}/subscriber`);
  for (const link of links) shard.misroute(link);
  await time.runFor(8000);
  await untilDigested(simulation);
  const { master, replica } = shard;
  const followers = [...master.followers];
  master.followers.clear();
  await publishBy(simulation, webhooks[0] as SimulatedWebhook, lost);
  replica.load(master.data.copy());
  for (const follow of followers) master.followers.add(follow);
  await time.runFor(25_000);
  for (const link of links) shard.reroute(link);
}

/** All relays are replaced by others after more than a minute, beyond which clients that name no version are not caught up. */
async function replaceRelays(simulation: Simulation): Promise<void> {
  const { relays, webhooks, time, topics } = simulation;
  for (const topic of topics) await publishBy(simulation, webhooks[0] as SimulatedWebhook, topic);
  await time.runFor(5000);
  for (const relay of relays) relay.kill(false);
  for (const topic of topics) await publishBy(simulation, webhooks[0] as SimulatedWebhook, topic);
  await time.runFor(75_000);
  simulation.redisFaultAtMs = time.nowMs; // a page that names no version fetches by itself
  for (let place = 0; place < relays.length; place += 1) simulation.startRelay(place);
}

/** While the clock of the servers is behind, a webhook that has published nothing before publishes, and its signals do not arrive. */
async function stepClockBack(simulation: Simulation): Promise<void> {
  const { cluster, webhooks, time } = simulation;
  const [one, two] = webhooks as [SimulatedWebhook, SimulatedWebhook];
  const { lost, other, shard } = inOnePartition(simulation);
  const setClock = (offsetUs: number) => {
    for (const server of shard.servers) server.clockOffsetUs = offsetUs;
  };
  await publishBy(simulation, one, lost);
  await time.runFor(5000);
  await untilDigested(simulation);
  setClock(-60_000_000);
  cluster.network.signalLoss = 1;
  await publishBy(simulation, two, lost);
  setClock(0);
  await publishBy(simulation, two, other);
  cluster.network.signalLoss = 0;
}

/** A replaced master accepts an update after all have learned of the floor of its successor, whose clock is ahead. No update follows. */
async function publishToReplacedMaster(simulation: Simulation): Promise<void> {
  const { cluster, webhooks, time } = simulation;
  const [one] = webhooks as [SimulatedWebhook];
  const { lost, shard } = inOnePartition(simulation);
  shard.replica.clockOffsetUs = 20_000_000; // so that the new floor is above the version of the update
  await time.runFor(5000);
  shard.failOver([`${one.process.name}/commands`]);
  await time.runFor(9000);
  cluster.network.signalLoss = 1;
  await publishBy(simulation, one, lost);
  shard.healSplit();
  await time.runFor(1000);
  cluster.network.signalLoss = 0;
}

/**
 * Redis loads older data between a digest that lists an update and the reading of its register, and another webhook publishes.
 * Returns the number of clients without that update a second later.
 */
async function reloadAfterDigest(simulation: Simulation): Promise<number> {
  const { relays, webhooks, time } = simulation;
  const [one, two] = webhooks as [SimulatedWebhook, SimulatedWebhook];
  const [relay] = relays as [SimulatedRelay];
  const { broker } = relay;
  const { lost, other, shard } = inOnePartition(simulation);
  await time.runFor(5000);
  await untilDigested(simulation);
  broker.dropSignals();
  const older = shard.master.data.copy();
  await publishBy(simulation, one, lost);
  let published: Promise<void> | undefined;
  const read = broker.read.bind(broker);
  broker.read = (topics) => {
    if (topics.includes(lost) && !published) {
      shard.reload(older);
      published = startPublishing(simulation, two, other);
    }
    return read(topics);
  };
  for (let ms = 0; ms < 8000 && !published; ms += 10) await time.runFor(10);
  broker.read = read; // no client of this relay wants the topic
  await time.runFor(1000);
  await published;
  return clientsBehind(simulation, relay, lost);
}

/** Returns the number of a relay's clients without the newest update of a topic. */
function clientsBehind({ app, clients }: Simulation, relay: SimulatedRelay, topic: Topic): number {
  return [...clients].filter(
    (client) =>
      client.receives &&
      client.connection?.relay === relay &&
      client.topics.includes(topic) &&
      app.missing(topic, client.page.shown(topic)),
  ).length;
}

/** Returns the relay of a client that subscribes to a topic; any relay if there is none. */
function relayWithClientOf({ clients, relays }: Simulation, topic: Topic): SimulatedRelay {
  const client = [...clients].find(({ topics, connection }) => topics.includes(topic) && connection?.relay);
  return client?.connection?.relay ?? (relays[0] as SimulatedRelay);
}

/** Closes a link, which connects again at once. */
function closeLink(shard: SimulatedShard, link: string): void {
  shard.misroute(link);
  shard.reroute(link);
}

/** All calls fail for several intervals. After that, the signals of an update do not arrive. */
async function failCallsThenLoseSignals(simulation: Simulation): Promise<void> {
  const { cluster, time } = simulation;
  await time.runFor(5000);
  cluster.network.callFailure = 1;
  await time.runFor(7000);
  cluster.network.callFailure = 0;
  await loseSignals(simulation);
}

/**
 * A replica is promoted, and accepts an update while no relay subscribes to it yet. Relays subscribe there, but list and read what
 * the replaced master has, until their commands reach the new one too.
 */
async function readFromReplacedMaster(simulation: Simulation): Promise<void> {
  const { relays, webhooks, time } = simulation;
  const { lost, shard } = inOnePartition(simulation);
  const subscribers = relays.map(({ process }) => `${process.name}/subscriber`);
  await time.runFor(5000);
  for (const link of subscribers) shard.blackhole(link);
  shard.failOver(relays.map(({ process }) => `${process.name}/commands`));
  await time.runFor(500);
  await publishBy(simulation, webhooks[0] as SimulatedWebhook, lost);
  for (const link of subscribers) shard.restore(link);
  await time.runFor(8000);
  shard.healSplit();
  await time.runFor(5000);
}

/**
 * The reply to a probe is lost, and its marker is late: it arrives after the next probe was sent, in front of the signal of an
 * update, which is lost. Returns the number of clients without that update more than an interval and a quarter later.
 */
async function delayMarker(simulation: Simulation): Promise<number> {
  const { cluster, webhooks, time } = simulation;
  const { lost, shard, partition } = inOnePartition(simulation);
  const { master } = shard;
  await time.runFor(5000);
  await untilDigested(simulation);
  const relay = relayWithClientOf(simulation, lost);
  let published: Promise<void> | undefined;
  const publishMarker = master.publishMarker.bind(master);
  master.publishMarker = (channel, text) => {
    const isLate = channel.startsWith(relay.process.name) && !published;
    cluster.network.signalDelayMs = isLate ? 700 : 0;
    publishMarker(channel, text);
    cluster.network.signalDelayMs = 0;
    if (!isLate) return;
    relay.broker.dropSignals(partition);
    closeLink(shard, `${relay.process.name}/commands`);
    published = startPublishing(simulation, webhooks[0] as SimulatedWebhook, lost);
  };
  while (!published) await time.runFor(10);
  await time.runFor(1.3 * 1.1 * REPAIR_INTERVAL_MS);
  master.publishMarker = publishMarker;
  await published;
  return clientsBehind(simulation, relay, lost);
}

/**
 * After the connection of signals was replaced, and changes were listed, topics cannot be subscribed to for a while, and an
 * update follows. Returns the number of clients without it more than an interval and a quarter later.
 */
async function failSubscriptions(simulation: Simulation): Promise<number> {
  const { webhooks, time } = simulation;
  const { lost, shard } = inOnePartition(simulation);
  await time.runFor(5000);
  const relay = relayWithClientOf(simulation, lost);
  const watch = relay.broker.watch.bind(relay.broker);
  relay.broker.watch = () => Promise.reject(new AppError('broker_unavailable'));
  closeLink(shard, `${relay.process.name}/subscriber`);
  await time.runFor(5000);
  await publishBy(simulation, webhooks[0] as SimulatedWebhook, lost);
  await time.runFor(1.3 * 1.1 * REPAIR_INTERVAL_MS);
  const behind = clientsBehind(simulation, relay, lost);
  relay.broker.watch = watch;
  return behind;
}

/** Returns when the floor of each partition was last raised. */
function floorsRaisedAtMs({ cluster }: Simulation): readonly (number | undefined)[] {
  return Array.from({ length: cluster.partitions }, (_, partition) =>
    cluster.shards[partition % cluster.shards.length]?.floorRaisedAtMs(partition),
  );
}

/** Masters take other replication ids: for their first replica, or because the backlog expired. Returns the floors that were raised. */
async function replaceReplicationIds(simulation: Simulation): Promise<number> {
  const { cluster, webhooks, time, topics } = simulation;
  for (const topic of topics) await publishBy(simulation, webhooks[0] as SimulatedWebhook, topic);
  await time.runFor(8000);
  const before = floorsRaisedAtMs(simulation);
  for (let i = 0; i < 3; i += 1) {
    for (const { master } of cluster.shards) master.replaceReplicationId();
    for (const topic of topics) await publishBy(simulation, webhooks[i % 2] as SimulatedWebhook, topic);
    await time.runFor(8000);
  }
  return floorsRaisedAtMs(simulation).filter((atMs, i) => atMs !== before[i]).length;
}

/** Redis loses its data while the first digests of a new relay are under way. Returns the floors that were raised again after that. */
async function overtakeDigests(simulation: Simulation): Promise<number> {
  const { cluster, relays, time } = simulation;
  await time.runFor(5000);
  relays[0]?.kill(false);
  simulation.startRelay(0);
  const { broker, process } = relays[0] as SimulatedRelay;
  const digest = broker.digest.bind(broker);
  let isSlow = true;
  broker.digest = async (...call) => {
    const reply = await digest(...call);
    if (isSlow) await new Promise<void>((resolve) => void process.clock.after(6000, resolve));
    return reply;
  };
  await time.runFor(1000);
  isSlow = false;
  for (const shard of cluster.shards) shard.flush();
  await time.runFor(4500);
  const before = floorsRaisedAtMs(simulation);
  await time.runFor(12_000);
  return floorsRaisedAtMs(simulation).filter((atMs, i) => atMs !== before[i]).length;
}

/** The rules of the model (`test/model`), and the schedule that shows what each is needed for. */
describe.each<[string, string, Sabotage, Schedule]>([
  ['EPOCH', 'the master restarts with older data', 'epoch', restartWithOlderData],
  ['FLOOR', 'the master restarts with older data', 'floor', restartWithOlderData],
  ['REPAIR', 'signals do not arrive', 'repair', loseSignals],
  ['FALLBACK', 'signals do not arrive', 'fallback', loseSignals],
  ['NEXT_ROUND', 'all calls fail for a while', 'next-round', failCallsThenLoseSignals],
  ['CONTINUED', 'relays list what a replaced master has', 'continued', readFromReplacedMaster],
  ['MARKER_SERVER', 'a replica between master and relays loses signals', 'marker-server', resynchronizeReplica],
  ['RESUME', 'all relays are replaced', 'resume', replaceRelays],
  ['LAST', 'the clock steps back', 'last', stepClockBack],
  ['PROMISED', 'Redis reloads older data in the same process', 'promised', reloadOlderData],
  ['SPLIT_BRAIN', 'a replaced master accepts an update', 'acknowledged', publishToReplacedMaster],
  ['REMINDER', 'a replaced master accepts the last update', 'reminder', publishToReplacedMaster],
])('rule %s, if %s:', (_rule, _event, sabotage, schedule) => {
  it('no client misses an update', () => expectNoFailures(schedule));

  it('without it, a client does', async () => {
    expect(await failuresOf(schedule, sabotage)).toContainEqual(expect.stringMatching(/was (not|never) notified of #/));
  });
});

/** The same for rules that keep clients from waiting until the loss is detected, or from fetching for nothing. */
describe.each<[string, string, Sabotage, (simulation: Simulation) => Promise<number>]>([
  ['LISTED', 'Redis loads older data after a digest', 'listed', reloadAfterDigest],
  ['MARKER_NUMBER', 'a marker is late', 'marker-number', delayMarker],
  ['RELAPSED', 'topics cannot be subscribed to again', 'relapsed', failSubscriptions],
  ['REPLID', 'a master takes another replication id', 'replication-id', replaceReplicationIds],
  ['RAISE_ORDER', 'a raise overtakes a digest', 'raise-order', overtakeDigests],
])('rule %s, if %s:', (_rule, _event, sabotage, schedule) => {
  async function run(without?: Sabotage) {
    let count = 0;
    const counted = async (simulation: Simulation) => {
      count += await schedule(simulation);
    };
    const failures = await failuresOf(counted, without);
    return { failures, count };
  }

  it('no client waits, and no floor is raised for nothing', async () => {
    expect(await run()).toEqual({ failures: [], count: 0 });
  });

  it('without it, clients do, or floors are', async () => {
    expect((await run(sabotage)).count).toBeGreaterThan(0);
  });
});

describe('the promise, in a simulated cluster, holds', () => {
  it('if Redis reloads older data while a webhook waits for the replies to two updates, of which the older data have neither', async () => {
    await expectNoFailures(async (simulation) => {
      const { cluster, webhooks, time } = simulation;
      const [webhook] = webhooks as [SimulatedWebhook];
      const { lost, other, shard, partition } = inOnePartition(simulation);
      await publishBy(simulation, webhook, lost);
      await time.runFor(5000);
      await untilDigested(simulation);
      const older = shard.master.data.copy();
      const assigned = () => shard.master.data.partition(partition).meta?.last;
      const before = assigned();
      cluster.network.signalLoss = 1;
      cluster.network.latencyMs = 500; // so that the replies arrive in any order, depending on the seed
      const published = [lost, other].map((topic) => startPublishing(simulation, webhook, topic));
      while (assigned() === before) await time.runFor(1);
      shard.reload(older);
      await time.runFor(4000);
      await Promise.all(published);
      cluster.network.latencyMs = 3;
      cluster.network.signalLoss = 0;
    });
  });

  it('if the raise that covered an update of a replaced master is lost, and another webhook publishes first', async () => {
    await expectNoFailures(async (simulation) => {
      const { cluster, webhooks, time } = simulation;
      const [one, two] = webhooks as [SimulatedWebhook, SimulatedWebhook];
      const { lost, other, shard, partition } = inOnePartition(simulation);
      shard.replica.clockOffsetUs = 20_000_000; // so that the new floor is above the version of the update
      await time.runFor(5000);
      shard.failOver([`${one.process.name}/commands`]);
      await time.runFor(9000);
      cluster.network.signalLoss = 1;
      await publishBy(simulation, one, lost);
      const older = shard.master.data.copy();
      const raisedAtMs = shard.floorRaisedAtMs(partition);
      shard.healSplit();
      while (shard.floorRaisedAtMs(partition) === raisedAtMs) await time.runFor(1);
      shard.reload(older);
      await publishBy(simulation, two, other);
      cluster.network.signalLoss = 0;
    });
  });

  it('if a master is demoted, loses updates to its successor, and is promoted again before any script ran there', async () => {
    await expectNoFailures(async (simulation) => {
      const { cluster, webhooks, time } = simulation;
      const [one] = webhooks as [SimulatedWebhook];
      const { lost, shard } = inOnePartition(simulation);
      await time.runFor(5000);
      await untilDigested(simulation);
      shard.replica.frozen = true;
      cluster.network.signalLoss = 1;
      const older = shard.master.data.copy();
      await publishBy(simulation, one, lost);
      shard.replica.data = older;
      shard.failOver([]);
      await time.runFor(0);
      shard.replica.load(older);
      shard.failOver([]);
      cluster.network.signalLoss = 0;
      one.kill();
      simulation.startWebhook(0);
    });
  });
});

describe('a receipt', () => {
  /** Runs a relay that misses an update and shuts down, while a webhook waits for the delivery of that update. */
  async function failuresWhileDraining(sabotage?: Sabotage): Promise<readonly string[]> {
    const schedule = async (simulation: Simulation) => {
      const { relays, webhooks, time, topics, app, receipts } = simulation;
      const [relay, webhook] = [relays[0] as SimulatedRelay, webhooks[0] as SimulatedWebhook];
      await time.runFor(5000);
      await untilDigested(simulation);
      relay.broker.dropSignals();
      void relay.drain(2000);
      await time.runFor(50);
      for (const topic of topics) await publishBy(simulation, webhook, topic);
      const updates = topics.map((topic) => ({ topic, version: app.renderedVersion(topic) ?? 0 }));
      const waiting = webhook.waitUntilDelivered(updates, 900).then((isDelivered) => {
        if (isDelivered) for (const topic of topics) receipts.delivered('webhook', topic, app.current(topic));
      });
      await time.runFor(1000);
      await waiting;
      await time.runFor(9000);
      simulation.startRelay(0);
    };
    return failuresOf(schedule, sabotage);
  }

  it('does not report an update as delivered that clients of a relay which shuts down have not got', async () => {
    expect(await failuresWhileDraining()).toEqual([]);
  });

  it('would do so if such a relay left the registry at once, which the simulator detects', async () => {
    expect(await failuresWhileDraining('registration')).toContainEqual(
      expect.stringMatching(/^webhook reported #1 of .* as delivered, but .* was not notified of #1$/),
    );
  });
});

describe('a receipt for an update below a version that clients were notified of', () => {
  /**
   * Redis, whose clock was set back, reloads data from before an update, and a webhook that has not seen that one publishes.
   * Returns the failures, and how many updates were reported as delivered.
   */
  async function publishBelow(sabotage?: Sabotage): Promise<{ failures: readonly string[]; delivered: number }> {
    let delivered = 0;
    const schedule = async (simulation: Simulation) => {
      const { webhooks, time, app, receipts } = simulation;
      const [one, two] = webhooks as [SimulatedWebhook, SimulatedWebhook];
      const { lost: topic, shard } = inOnePartition(simulation);
      await time.runFor(5000);
      await untilDigested(simulation);
      const older = shard.master.data.copy();
      await publishBy(simulation, one, topic);
      for (const server of shard.servers) server.clockOffsetUs = -60_000_000;
      shard.reload(older);
      await publishBy(simulation, two, topic);
      const updates = [{ topic, version: app.renderedVersion(topic) ?? 0 }];
      const waiting = two.waitUntilDelivered(updates, 9000).then((isDelivered) => {
        if (!isDelivered) return;
        delivered += 1;
        receipts.delivered('webhook', topic, app.current(topic));
      });
      await time.runFor(10_000);
      await waiting;
    };
    const failures = await failuresOf(schedule, sabotage);
    return { failures, delivered };
  }

  it('says delivered once clients were notified of the raise that covers it', async () => {
    expect(await publishBelow()).toEqual({ failures: [], delivered: SEEDS.length });
  });

  it('would say so before if relays did not name the floor that they know, which the simulator detects', async () => {
    expect((await publishBelow('receipt-floor')).failures).toContainEqual(
      expect.stringMatching(/^webhook reported #2 of .* as delivered, but .* was not notified of #2$/),
    );
  });
});

describe('a receipt, after Redis lost the relay registry,', () => {
  it('does not report an update as delivered that clients of a relay which is cut off have not got', async () => {
    await expectNoFailures(async (simulation) => {
      const { relays, webhooks, cluster, time, topics, app, receipts } = simulation;
      const [cut, other] = relays as [SimulatedRelay, SimulatedRelay];
      const webhook = webhooks[0] as SimulatedWebhook;
      await time.runFor(5000);
      await untilDigested(simulation);
      const links = [`${cut.process.name}/commands`, `${cut.process.name}/subscriber`];
      cut.broker.dropSignals();
      for (const shard of cluster.shards) {
        for (const link of links) shard.blackhole(link);
        shard.flush();
      }
      other.kill(false);
      simulation.startRelay(1);
      for (const topic of topics) await publishBy(simulation, webhook, topic);
      const updates = topics.map((topic) => ({ topic, version: app.renderedVersion(topic) ?? 0 }));
      const waiting = webhook.waitUntilDelivered(updates, 4000).then((isDelivered) => {
        if (isDelivered) for (const topic of topics) receipts.delivered('webhook', topic, app.current(topic));
      });
      await time.runFor(5000);
      await waiting;
      for (const shard of cluster.shards) for (const link of links) shard.restore(link);
    });
  });
});

describe('a relay with another number of partitions', () => {
  /** Starts one when Redis has just lost the settings. Returns the failures, and in how many runs it lived on. */
  async function startAfterLoss(sabotage?: Sabotage): Promise<{ failures: readonly string[]; lived: number }> {
    let lived = 0;
    const schedule = async (simulation: Simulation) => {
      const { relays, webhooks, cluster, time, topics } = simulation;
      await time.runFor(5000);
      relays[0]?.kill(false);
      cluster.shards[0]?.master.write((data) => {
        data.config = undefined;
      });
      simulation.startRelay(0, cluster.partitions + 1);
      await time.runFor(10_000);
      for (const topic of topics) await publishBy(simulation, webhooks[0] as SimulatedWebhook, topic);
      if (relays[0]?.process.alive) lived += 1;
      else simulation.startRelay(0);
    };
    const failures = await failuresOf(schedule, sabotage);
    return { failures, lived };
  }

  it('ends, although Redis has lost the settings: running processes restore them', async () => {
    expect(await startAfterLoss()).toEqual({ failures: [], lived: 0 });
  });

  it('would leave its clients behind if they did not, which the simulator detects', async () => {
    const { failures, lived } = await startAfterLoss('settings');
    expect(lived).toBe(SEEDS.length);
    expect(failures).toContainEqual(expect.stringMatching(/was never notified of #1/));
  });
});
