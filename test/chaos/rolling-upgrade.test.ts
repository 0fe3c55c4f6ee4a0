import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TransportName } from '../../services/client/heliograph-client.ts';
import { RETRY_CAP_MS } from '../../services/client/timings.ts';
import { ChaosClient } from '../support/chaos-client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { LibraryReader } from '../support/library-reader.ts';
import { hasCommit, OLDER_RELEASE, olderBuild } from '../support/older-build.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SteadyPublisher } from '../support/steady-publisher.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

/** The builds that must work beside this one. */
const OLDER_BUILDS = [OLDER_RELEASE, { name: 'the build before markers', commit: '50260cd' }];

const TOPICS = Array.from({ length: 12 }, (_, i) => `topic/${i}`);
/** More than four are long-polled without waiting. */
const TOPICS_PER_CLIENT = 4;
const TRANSPORTS: readonly TransportName[] = ['websocket', 'sse', 'longpoll'];
const ROLES = ['relay', 'webhook'] as const;

/** The longer a relay was gone, the later its clients return: after the longest delay at the latest. */
const RECONNECTED_MS = RETRY_CAP_MS + 20_000;

/** Data of consecutive calls; undefined is a call without data. */
const DATA: readonly unknown[] = [
  undefined,
  null,
  { n: 1, list: [1.5, 1e21, true, null], text: ' "quoted"\n\u2028é😀 ' },
  'text',
  undefined,
  false,
  { constructor: {}, big: 'x'.repeat(10_000) },
  '',
];

describe.each(OLDER_BUILDS)('a cluster with processes of $name and of this build', ({ name, commit }) => {
  const missing = hasCommit(commit) ? '' : ` (skipped: this clone has no commit ${commit})`;
  /** Two of each role. */
  const places: { role: (typeof ROLES)[number]; port: number; process?: ServiceProcess }[] = [];
  const clients: (LibraryReader | ChaosClient)[] = [];
  let env: Record<string, string>;
  let older: string;
  let publisher: SteadyPublisher;

  const start = async (place: (typeof places)[number], build?: string) => {
    const port = { [`${place.role.toUpperCase()}_PORT`]: String(place.port) };
    place.process = await startService(place.role, { ...env, ...port }, { build });
  };

  beforeEach(async () => {
    if (missing) return;
    older = await olderBuild(commit);
    env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WAIT: '0s',
      DRAIN_WINDOW: '0s',
      REBALANCE: '0',
    };
    for (const role of [...ROLES, ...ROLES]) places.push({ role, port: await freePort() });
    await Promise.all(places.map((place) => start(place, older)));
    let calls = 0;
    publisher = new SteadyPublisher({
      webhooks: places
        .filter(({ role }) => role === 'webhook')
        .map(({ port }) => ({ url: `http://127.0.0.1:${port}`, token: WEBHOOK_TOKEN })),
      topics: TOPICS,
      batch: 5, // not a divisor of the number of topics or of the kinds of data: each topic gets each kind
      intervalMs: 20,
      data: () => DATA[calls++ % DATA.length],
    });
    for (const { role, port } of places) {
      if (role !== 'relay') continue;
      for (let i = 0; i < TOPICS.length; i += TOPICS_PER_CLIENT) {
        const topics = TOPICS.slice(i, i + TOPICS_PER_CLIENT);
        for (const transport of TRANSPORTS)
          clients.push(new LibraryReader(`http://127.0.0.1:${port}`, transport, topics));
        clients.push(new ChaosClient({ kind: 'legacy', topics, relays: () => [`ws://127.0.0.1:${port}`] }));
      }
    }
    await eventually(() => expect(clients.filter(({ isSubscribed }) => !isSubscribed)).toEqual([]));
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    await publisher?.stop();
    await Promise.all(places.splice(0).map((place) => place.process?.stop('SIGKILL')));
  });

  /** Publishes until each topic had each kind of data; resolves once no client is behind. */
  async function publishToAll(): Promise<void> {
    const { ledger } = publisher;
    const before = ledger.size;
    publisher.resume();
    await eventually(() => expect(ledger.size - before).toBeGreaterThan(TOPICS.length * DATA.length), 30_000);
    await publisher.pause();
    await eventually(() => expect(clients.flatMap((client) => client.behind(ledger))).toEqual([]), RECONNECTED_MS);
  }

  it.skipIf(missing)(
    `no client misses an update while ${name} is replaced and while it comes back, and data is that of the update or dropped${missing}`,
    async () => {
      for (const build of [undefined, older]) {
        for (const place of places) {
          publisher.resume();
          expect(await place.process?.stop()).toBe(0);
          await start(place, build);
          await publisher.pause();
          await publishToAll();
        }
      }
      const published = new Map(
        TOPICS.flatMap((topic) => publisher.ledger.of(topic)).map((update) => [
          `${update.topic} ${update.version}`,
          update,
        ]),
      );
      let withData = 0;
      for (const client of clients) {
        if (!(client instanceof LibraryReader)) continue;
        for (const update of client.updates) {
          const original = published.get(`${update.topic} ${update.version}`);
          if (!original || !('data' in update)) continue;
          withData += 1;
          expect(update.data).toEqual(original.data);
          expect(original).toHaveProperty('data');
        }
      }
      expect(withData).toBeGreaterThan(publisher.ledger.size);
    },
  );
});
