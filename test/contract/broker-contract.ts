import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, Digest, FeedHandler, PartitionState, Witness } from '../../services/shared/broker/broker.ts';
import type { JsonText } from '../../services/shared/update/json-text.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Update, Version } from '../../services/shared/update/update.ts';
import { eventually } from '../support/eventually.ts';
import { updateBody } from '../support/update-body.ts';

/** A broker without its receipts, which have a contract of their own. */
export type ContractedBroker = Omit<Broker, 'receipts'>;

/** Creates brokers that share one store, as the processes of one cluster do. */
export interface BrokerCluster {
  connect(): ContractedBroker;
  close(): Promise<void>;
}

const NOTHING_SEEN: Witness = { epoch: '', version: 0 };

class RecordingHandler implements FeedHandler {
  readonly updates: Update[] = [];
  readonly floors: [partition: number, floor: Version, raiseId: string | undefined][] = [];
  readonly lost: number[] = [];
  links = 0;

  deliver(update: Update): void {
    this.updates.push(update);
  }

  raiseFloor(partition: number, floor: Version, raiseId?: string): void {
    this.floors.push([partition, floor, raiseId]);
  }

  watchesLost(partitions: readonly number[]): void {
    this.lost.push(...partitions);
  }

  linkUp(): void {
    this.links += 1;
  }
}

/** The contract of every broker. */
export function describeBroker(name: string, createCluster: () => Promise<BrokerCluster>): void {
  describe(`a broker (${name})`, () => {
    let cluster: BrokerCluster;
    let relay: ContractedBroker;
    let webhook: ContractedBroker;
    let handler: RecordingHandler;
    const started: ContractedBroker[] = [];

    beforeEach(async () => {
      cluster = await createCluster();
      handler = new RecordingHandler();
      relay = cluster.connect();
      webhook = cluster.connect();
      relay.setFeedHandler(handler);
      started.push(...new Set([relay, webhook]));
      for (const broker of started) await broker.start();
      await eventually(() => expect(handler.links).toBeGreaterThan(0));
    });

    afterEach(async () => {
      for (const broker of started.splice(0)) await broker.stop();
      await cluster.close();
    });

    const topicNamed = (word: string) => `${word}-${randomUUID().slice(0, 8)}` as Topic;
    const digestOf = (topic: Topic, cursor: Version): Promise<Digest> =>
      relay.digest(relay.partitionOf(topic), NOTHING_SEEN, cursor);

    it('signals updates that are published after watching, soon but never within the call', async () => {
      const topic = topicNamed('chat');
      await relay.watch([topic]);
      const calls: string[] = [];
      const published = webhook.publish(topic, updateBody({ data: { a: ['ü', 1] }, spread: 5 }), NOTHING_SEEN);
      calls.push(`${handler.updates.length} signals within the call`);
      const { version } = await published;
      await eventually(() => expect(handler.updates).toEqual([{ topic, version, data: '{"a":["ü",1]}', spread: 5 }]));
      expect(calls).toEqual(['0 signals within the call']);
    });

    it('does not signal topics that are not, or no longer, watched', async () => {
      const [watched, other] = [topicNamed('watched'), topicNamed('other')];
      await relay.watch([watched, other]);
      await relay.unwatch([other]);
      await webhook.publish(other, {}, NOTHING_SEEN);
      await webhook.publish(watched, {}, NOTHING_SEEN);
      await eventually(() => expect(handler.updates.map((u) => u.topic)).toEqual([watched]));
    });

    it('delivers and stores data as it was published, digits and key order included', async () => {
      const topic = topicNamed('text');
      const data = '{"b":9007199254740993,"a":[1e400,1.0,"\\u00fc"],"0":{"data":{},"spread":5}}' as JsonText;
      await relay.watch([topic]);
      const { version } = await webhook.publish(topic, { data, spread: 7 }, NOTHING_SEEN);
      await eventually(() => expect(handler.updates).toEqual([{ topic, version, data, spread: 7 }]));
      expect(await relay.read([topic])).toEqual([{ topic, version, data, spread: 7 }]);
    });

    it('assigns increasing versions near the time in microseconds, also to concurrent calls', async () => {
      const topic = topicNamed('fast');
      const published = await Promise.all(Array.from({ length: 50 }, () => webhook.publish(topic, {}, NOTHING_SEEN)));
      const versions = published.map(({ version }) => version);
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      expect(versions.every(Number.isSafeInteger)).toBe(true);
      expect(Math.abs((versions[0] ?? 0) / 1000 - Date.now())).toBeLessThan(5000);
    });

    it('publishes an update of each topic of one partition, with versions that increase in the order of the topics', async () => {
      const some = Array.from({ length: 100 }, (_, i) => topicNamed(`one-of-${i}`));
      const partition = relay.partitionOf(some[0] as Topic);
      const topics = some.filter((topic) => relay.partitionOf(topic) === partition);
      await relay.watch(topics);
      for (const body of [{}, updateBody({ data: { n: 1 } })]) {
        handler.updates.length = 0;
        const { last } = await relay.digest(partition, NOTHING_SEEN, Number.MAX_SAFE_INTEGER);
        const published = await webhook.publishAll(topics, { ...body, spread: 3 }, { ...NOTHING_SEEN, version: last });
        const versions = published.map(({ version }) => version);
        expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
        const updates = topics.map((topic, i) => ({ topic, version: versions[i], ...body, spread: 3 }));
        await eventually(() => expect(handler.updates).toHaveLength(topics.length));
        expect(handler.updates.toSorted((a, b) => a.version - b.version)).toEqual(updates);
        expect(await relay.read(topics)).toEqual(updates);
        const digest = await relay.digest(partition, NOTHING_SEEN, last);
        expect(digest.changed).toEqual(topics.map((topic, i) => ({ topic, version: versions[i] })));
        expect(digest.last).toBeGreaterThanOrEqual(versions.at(-1) ?? Number.POSITIVE_INFINITY);
      }
    });

    it('assigns a version above the highest that the caller has seen', async () => {
      const topic = topicNamed('hint');
      const { version, epoch } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const ahead = version + 60_000_000;
      expect((await webhook.publish(topic, {}, { epoch, version: ahead })).version).toBeGreaterThan(ahead);
      const { floor, last } = await digestOf(topic, 0);
      const further = last + 60_000_000;
      // Under no epoch, it proves no loss.
      expect((await webhook.publish(topic, {}, { epoch: '', version: further })).version).toBeGreaterThan(further);
      expect((await digestOf(topic, 0)).floor).toBe(floor);
    });

    it('returns the version that a topic had before, also if another process published it', async () => {
      const [topic, other] = [topicNamed('mine'), topicNamed('other')];
      const first = await webhook.publish(topic, {}, NOTHING_SEEN);
      await webhook.publish(other, {}, NOTHING_SEEN);
      const second = await relay.publish(topic, {}, NOTHING_SEEN);
      expect(second.previous).toBe(first.version);
      expect((await webhook.publish(topic, {}, NOTHING_SEEN)).previous).toBe(second.version);
    });

    it('returns the newest version assigned to the same publisher before the call', async () => {
      const some = Array.from({ length: 100 }, (_, i) => topicNamed(`chain-${i}`));
      const [topic] = some as [Topic];
      const topics = some.filter((other) => webhook.partitionOf(other) === webhook.partitionOf(topic));
      const by = (name: string) => ({ ...NOTHING_SEEN, promised: { publisher: name, version: 0 } });
      const [one, two] = [by(randomUUID()), by(randomUUID())];
      const first = await webhook.publish(topic, {}, one);
      expect(first.assignedBefore).toBe(0);
      expect((await relay.publish(topic, {}, two)).assignedBefore).toBe(0);
      const all = await relay.publishAll(topics, {}, one);
      expect(new Set(all.map(({ assignedBefore }) => assignedBefore))).toEqual(new Set([first.version]));
      expect((await webhook.publish(topic, {}, one)).assignedBefore).toBe(all.at(-1)?.version);
    });

    it('returns a version that subscribers have as the one before the first update of a topic', async () => {
      const topic = topicNamed('new');
      const { floor, base: before } = await digestOf(topic, Number.MAX_SAFE_INTEGER);
      const { version, previous } = await webhook.publish(topic, {}, NOTHING_SEEN);
      expect(previous).toBeLessThanOrEqual(Math.max(floor, before));
      expect(previous).toBeGreaterThanOrEqual(floor);
      expect(previous).toBeLessThan(version);
      // Later, when the floor is older than any register.
      const ahead = { ...NOTHING_SEEN, version: version + 30 * 3_600_000_000 };
      const other = Array.from({ length: 100 }, () => topicNamed('later')).find(
        (each) => relay.partitionOf(each) === relay.partitionOf(topic),
      ) as Topic;
      const later = await webhook.publish(other, {}, ahead);
      const { base, floor: same } = await digestOf(topic, Number.MAX_SAFE_INTEGER);
      expect([same, later.previous]).toEqual([floor, expect.any(Number)]);
      expect(later.previous).toBeLessThanOrEqual(base);
    });

    it('returns the floor as the version before if it was raised since', async () => {
      const topic = topicNamed('raised');
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const witness = { epoch: 'another epoch', version: version + 3_600_000_000 };
      const { floor } = await relay.digest(relay.partitionOf(topic), witness, 0);
      expect((await webhook.publish(topic, {}, NOTHING_SEEN)).previous).toBe(floor);
    });

    it('reads the newest update of each topic, aligned, and undefined if there is none', async () => {
      const [one, none, two] = [topicNamed('one'), topicNamed('none'), topicNamed('two')];
      await webhook.publish(one, updateBody({ data: 'old' }), NOTHING_SEEN);
      const first = await webhook.publish(one, updateBody({ data: 'new', traceparent: '00-x' }), NOTHING_SEEN);
      const second = await webhook.publish(two, updateBody({ data: null }), NOTHING_SEEN);
      expect(await relay.read([one, none, two])).toEqual([
        { topic: one, version: first.version, data: '"new"', traceparent: '00-x' },
        undefined,
        { topic: two, version: second.version, data: 'null' },
      ]);
      expect(await relay.read([])).toEqual([]);
    });

    it('lists the topics that changed after a cursor: each once, with its newest version, oldest first', async () => {
      const topic = topicNamed('digest');
      const before = (await digestOf(topic, 0)).last;
      await webhook.publish(topic, {}, NOTHING_SEEN);
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const digest = await digestOf(topic, before);
      expect(digest.changed.filter((changed) => changed.topic === topic)).toEqual([{ topic, version }]);
      expect(digest.last).toBeGreaterThanOrEqual(version);
      expect(digest.hasMore).toBe(false);
      expect((await digestOf(topic, digest.last)).changed).toEqual([]);
    });

    it('never assigns a version at or below one that a digest contained', async () => {
      const topic = topicNamed('base');
      const digest = await digestOf(topic, 0);
      expect(digest.base).toBeGreaterThan(digest.retainedSince);
      expect(digest.last).toBeGreaterThanOrEqual(digest.base);
      expect(digest.last).toBeGreaterThanOrEqual(digest.floor);
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      expect(version).toBeGreaterThan(digest.last);
    });

    it('keeps its epoch and floor while nothing is lost, the same for all processes', async () => {
      const topic = topicNamed('epoch');
      const partition = relay.partitionOf(topic);
      const mine = await relay.digest(partition, NOTHING_SEEN, 0);
      const { epoch } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const theirs = await webhook.digest(webhook.partitionOf(topic), { epoch, version: 1 }, 0);
      expect([mine.epoch, mine.floor]).toEqual([theirs.epoch, theirs.floor]);
      expect(epoch).toBe(mine.epoch);
      expect(mine.floor).toBeGreaterThan(0);
      const newest = await relay.digest(partition, NOTHING_SEEN, 0);
      for (const version of [newest.floor, newest.last]) {
        expect((await webhook.digest(partition, { epoch, version }, 0)).floor).toBe(mine.floor);
      }
    });

    it('raises the floor above a version that a caller has seen under another epoch, and signals it', async () => {
      const topic = topicNamed('split');
      const partition = webhook.partitionOf(topic);
      await relay.watch([topic]); // behind the subscription to floors
      const before = await digestOf(topic, 0);
      const witness = { epoch: 'another epoch', version: before.last + 3_600_000_000 };
      const after = await webhook.digest(partition, witness, 0);
      expect(after.floor).toBeGreaterThan(witness.version);
      await eventually(() => expect(handler.floors).toContainEqual([partition, after.floor, after.raiseId]));
      expect((await digestOf(topic, 0)).floor).toBe(after.floor);
      expect((await webhook.publish(topic, {}, NOTHING_SEEN)).version).toBeGreaterThan(after.floor);
    });

    it('raises the floor above a version between it and the newest one that a caller has seen under another epoch', async () => {
      const topic = topicNamed('between');
      const partition = webhook.partitionOf(topic);
      const digest = (version: Version) => webhook.digest(partition, { epoch: 'another epoch', version }, 0);
      const { floor } = await digest((await digestOf(topic, 0)).last + 3_600_000_000);
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      expect((await digest(floor)).floor).toBe(floor);
      expect((await digest(floor + 1)).floor).toBeGreaterThan(version);
    });

    it('raises the floor again for an acknowledgement under another epoch, however high the floor is', async () => {
      const topic = topicNamed('acknowledged');
      const partition = webhook.partitionOf(topic);
      const before = await digestOf(topic, 0);
      const witness = { epoch: 'another epoch', version: 1 };
      expect((await webhook.digest(partition, witness, 0)).floor).toBe(before.floor);
      const after = await webhook.digest(partition, { ...witness, acknowledged: [1] }, 0);
      expect(after.floor).toBeGreaterThan(before.last);
      const mine = { epoch: after.epoch, version: after.last, acknowledged: [1] };
      expect((await webhook.digest(partition, mine, 0)).floor).toBe(after.floor);
    });

    it('raises the floor once for the acknowledgements of a publisher under other epochs, whatever the number of calls', async () => {
      const topic = topicNamed('covered');
      const partition = webhook.partitionOf(topic);
      const { epoch, last } = await digestOf(topic, 0);
      const floorFor = async (epochs: string, acknowledged: readonly number[], publisher = 'one') => {
        const witness = { epoch: epochs, version: 1, acknowledged, promised: { publisher, version: 0 } };
        return (await webhook.digest(partition, witness, 0)).floor;
      };
      const raised = await floorFor('gone', [4]);
      expect(raised).toBeGreaterThan(last);
      for (const covered of [4, 3, 1]) {
        expect(await floorFor('gone', [covered])).toBe(raised);
        expect(await floorFor(`gone ${epoch}`, [covered, 9])).toBe(raised);
      }
      const again = await floorFor(`${epoch} gone other`, [2, 5, 3]);
      expect(again).toBeGreaterThan(raised);
      expect(await floorFor('gone', [5])).toBe(again);
      const other = await floorFor('gone', [1], 'two');
      expect(other).toBeGreaterThan(again);
      expect(await floorFor('gone', [5])).toBe(other);
    });

    it('raises the floor if older data hold a lower version of a publisher than it has acknowledged', async () => {
      const topic = topicNamed('older');
      const partition = webhook.partitionOf(topic);
      const by = (version: Version) => ({ publisher: 'one', version });
      const first = await webhook.publish(topic, {}, { ...NOTHING_SEEN, promised: by(0) });
      const witness = { epoch: first.epoch, version: first.version, acknowledged: [1] };
      const same = await webhook.digest(partition, { ...witness, promised: by(first.version) }, 0);
      expect(same.floor).toBeLessThan(first.version);
      // As after a reload of older data: only another publisher's update is above what this one has acknowledged.
      const other = await webhook.publish(topic, {}, { ...NOTHING_SEEN, promised: { publisher: 'two', version: 0 } });
      const promised = { ...witness, promised: by(other.version) };
      const after = await webhook.digest(partition, promised, 0);
      expect(after.floor).toBeGreaterThan(other.version);
      expect((await webhook.digest(partition, promised, 0)).floor).toBe(after.floor);
    });

    it('raises the floor above a version that a caller has seen under this epoch, if the version is lost', async () => {
      const topic = topicNamed('flushed');
      const before = await digestOf(topic, 0);
      const witness = { epoch: before.epoch, version: before.last + 3_600_000_000 };
      const after = await relay.digest(relay.partitionOf(topic), witness, 0);
      expect(after.floor).toBeGreaterThan(witness.version);
      const again = await webhook.digest(webhook.partitionOf(topic), { ...witness, version: after.last }, 0);
      expect(again.floor).toBe(after.floor);
    });

    it('raises the floor again if the caller knows the same floor from another raise', async () => {
      const topic = topicNamed('twice');
      const partition = relay.partitionOf(topic);
      const before = await digestOf(topic, 0);
      const known = { epoch: before.epoch, version: before.last, raiseId: before.raiseId };
      expect((await relay.digest(partition, known, 0)).floor).toBe(before.floor);
      const below = { ...known, raiseId: 'another raise', version: before.floor - 1 };
      expect((await relay.digest(partition, below, 0)).floor).toBe(before.floor);
      const after = await relay.digest(partition, { ...known, raiseId: 'another raise' }, 0);
      expect(after.floor).toBeGreaterThan(before.last);
      expect(after.raiseId).not.toBe(before.raiseId);
    });

    it('lists changes from before a raise of the floor too, so that relays need not read all registers', async () => {
      const topic = topicNamed('complete');
      const cursor = (await digestOf(topic, 0)).last;
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const witness = { epoch: 'another epoch', version: version + 3_600_000_000 };
      const after = await relay.digest(relay.partitionOf(topic), witness, cursor);
      expect(after.floor).toBeGreaterThan(witness.version);
      expect(after.completeAfter).toBeLessThanOrEqual(cursor);
      expect(after.changed).toContainEqual({ topic, version });
    });

    it('proves by a probe that all earlier updates were signalled, and returns the state that a digest returns', async () => {
      const topic = topicNamed('probe');
      const partition = relay.partitionOf(topic);
      const probe = () => relay.probe(partition, NOTHING_SEEN, 2000);
      await relay.watch([topic]);
      await eventually(async () => expect(await probe()).toMatchObject({ signals: 'complete' }));
      for (let i = 0; i < 20; i += 1) {
        const { version } = await webhook.publish(topic, updateBody({ data: i }), NOTHING_SEEN);
        const { signals, ...state } = await probe();
        expect([signals, handler.updates.at(-1)?.version]).toEqual(['complete', version]);
        expect(state.last).toBeGreaterThanOrEqual(version);
        const { changed: _, hasMore: __, retainedSince, ...digest } = await digestOf(topic, version);
        expect(state).toEqual({ ...digest, retainedSince: expect.any(Number) });
        expect(Math.abs(state.retainedSince - retainedSince)).toBeLessThan(60_000_000);
        const { epoch, raiseId, last } = state;
        const again = await relay.probe(partition, { epoch, raiseId, version: last }, 2000);
        expect(again).toEqual({ ...state, signals, retainedSince: expect.any(Number) });
        expect(again.retainedSince).toBeGreaterThanOrEqual(state.retainedSince);
      }
    });

    it('answers two probes of a partition that are sent together', async () => {
      const partition = relay.partitionOf(topicNamed('together'));
      const probes = await Promise.all([0, 0].map((waitMs) => relay.probe(partition, NOTHING_SEEN, waitMs)));
      expect(probes.map(({ epoch }) => epoch)).toEqual(
        Array(2).fill((await relay.digest(partition, NOTHING_SEEN, 0)).epoch),
      );
    });

    it('returns the same state to a probe by a caller that knows it, until something changes', async () => {
      const topic = topicNamed('known');
      const partition = relay.partitionOf(topic);
      const probe = async (known?: PartitionState) => {
        const witness = known ? { epoch: known.epoch, version: known.last, raiseId: known.raiseId } : NOTHING_SEEN;
        const { signals: _, ...state } = await relay.probe(partition, witness, 0);
        return { ...state, retainedSince: 0 }; // follows from the time
      };
      const { version } = await webhook.publish(topic, {}, NOTHING_SEEN);
      const first = await probe();
      const states = [await probe(first), await probe(first), ...(await Promise.all([probe(first), probe(first)]))];
      expect(states).toEqual(new Array(4).fill(first));
      const newer = await webhook.publish(topic, {}, { ...NOTHING_SEEN, version });
      const [second, both] = [await probe(first), await Promise.all([probe(first), probe()])];
      expect(second).toEqual({ ...first, last: newer.version });
      expect(both).toEqual([second, second]);
      expect(await probe(second)).toEqual(second);
      const raised = await relay.probe(partition, { epoch: 'another', version: second.last + 3_600_000_000 }, 0);
      expect(await probe(second)).toMatchObject({ floor: raised.floor, raiseId: raised.raiseId, last: raised.last });
    });

    it('raises the floor by a probe as by a digest', async () => {
      const topic = topicNamed('probed');
      const partition = relay.partitionOf(topic);
      const before = await digestOf(topic, 0);
      const witness = { epoch: before.epoch, version: before.last + 3_600_000_000 };
      const after = await relay.probe(partition, witness, 0);
      expect(after.floor).toBeGreaterThan(witness.version);
      expect(after.raiseId).not.toBe(before.raiseId);
      expect((await digestOf(topic, 0)).floor).toBe(after.floor);
    });

    it('returns the newest versions of topics that changed recently, aligned', async () => {
      const [one, none, two] = [topicNamed('one'), topicNamed('none'), topicNamed('two')];
      await webhook.publish(one, {}, NOTHING_SEEN);
      const first = await webhook.publish(one, {}, NOTHING_SEEN);
      const second = await webhook.publish(two, {}, NOTHING_SEEN);
      expect(await relay.recentVersions([two, none, one])).toEqual([second.version, undefined, first.version]);
      expect(await relay.recentVersions([])).toEqual([]);
    });

    it('loads the response stored under a key in every process, and none under another key', async () => {
      const key = randomUUID();
      await webhook.storeResponse(key, '{"updates":[]}');
      expect(await relay.loadOrReserve(key, '?one')).toBe('{"updates":[]}');
      expect(await relay.loadOrReserve(randomUUID(), '?one')).toBeUndefined();
    });

    it('lets one of several callers reserve a key, until it releases it or stores a response', async () => {
      const key = randomUUID();
      const names = ['?one', '?two', '?three', '?four'];
      const replies = await Promise.all(names.map((name, i) => [relay, webhook][i % 2]?.loadOrReserve(key, name)));
      const [winner = ''] = names.filter((_, i) => replies[i] === undefined);
      expect(replies.filter((reply) => reply !== undefined)).toEqual([winner, winner, winner]);
      await webhook.releaseReservation(key, 'of another call');
      expect(await relay.loadOrReserve(key, '?five')).toBe(winner);
      await webhook.releaseReservation(key, winner);
      expect(await relay.loadOrReserve(key, '?six')).toBeUndefined();
      await webhook.storeResponse(key, '{"updates":[]}');
      expect(await relay.loadOrReserve(key, '?seven')).toBe('{"updates":[]}');
    });

    it('replaces a subscription that is reset, and reports its watches as lost', async () => {
      const topic = topicNamed('reset');
      await relay.watch([topic]);
      relay.resetSubscription(relay.partitionOf(topic));
      await eventually(() => expect(handler.lost).toContain(relay.partitionOf(topic)));
      await eventually(() => relay.watch([topic]));
      await webhook.publish(topic, {}, NOTHING_SEEN);
      await eventually(() => expect(handler.updates.length).toBe(1));
    });

    it('returns the load of every relay to each of them, until it is removed', async () => {
      const [one, two] = [randomUUID(), randomUUID()];
      expect(await relay.exchangeLoad(one, { connections: 7 })).toEqual([{ connections: 7 }]);
      const both = await webhook.exchangeLoad(two, { connections: 3 });
      expect(both.map(({ connections }) => connections).sort()).toEqual([3, 7]);
      expect(await relay.exchangeLoad(one, { connections: 8 })).toContainEqual({ connections: 8 });
      expect(await relay.exchangeLoad(one, undefined)).toEqual([{ connections: 3 }]);
      const draining = { connections: 3, shed: 40, isNew: true, draining: true };
      await webhook.exchangeLoad(two, draining);
      expect(await relay.exchangeLoad(one, { connections: 0 })).toContainEqual(draining);
      await relay.exchangeLoad(one, undefined);
      expect(await relay.exchangeLoad(two, undefined)).toEqual([]);
    });
  });
}
