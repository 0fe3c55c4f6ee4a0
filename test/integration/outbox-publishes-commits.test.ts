import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type BatchResult, type OutboxRow, PostgresOutboxTable } from '../../services/outbox/postgres-outbox-table.ts';
import { parseSigningSecret, type SigningCredential } from '../../services/webhook/credential.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { PostgresProcess } from '../support/postgres-process.ts';
import { readmeExample } from '../support/readme-example.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { startWebhook } from '../support/webhook-fixture.ts';

const SCHEMA = readFileSync(new URL('../../services/outbox/schema.sql', import.meta.url), 'utf8');

let postgres: PostgresProcess;
let broker: RecordingBroker;

beforeAll(async () => {
  postgres = await PostgresProcess.start();
});
afterAll(() => postgres?.[Symbol.asyncDispose]());
beforeEach(async () => {
  broker = new RecordingBroker();
  await postgres.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${SCHEMA}`);
});

const published = () => broker.published.map(({ topic, body }) => [topic, body.data]);
const rows = () =>
  postgres.query<{ topic: string; refused: string | null }>('SELECT topic, refused FROM heliograph_outbox ORDER BY id');

/** Starts a webhook that permits the topics `chat` and `order/*`; with a port of its own if one is given. */
async function webhookOf(port = 0) {
  const secrets = [parseSigningSecret(`${WEBHOOK_SECRET}@chat|order/*`)] as SigningCredential[];
  const webhook = await startWebhook({ broker, config: { port, secrets } });
  onTestFinished(() => webhook.stop());
  return webhook;
}

/** Starts the outbox service as a process, with the interval so long that only notifications wake it. */
async function outboxOf(webhookUrl: string, env: Record<string, string> = {}) {
  const outbox = await startService('outbox', {
    DATABASE_URL: postgres.url,
    WEBHOOK_URL: `${webhookUrl}/webhook`,
    WEBHOOK_SECRET,
    OUTBOX_POLL: '1h',
    ...env,
  });
  onTestFinished(async () => void (await outbox.stop('SIGKILL')));
  return outbox;
}

describe('the outbox', () => {
  it('publishes a row once its transaction commits, and nothing of one that is rolled back', async () => {
    const { url } = await webhookOf();
    const outbox = await outboxOf(url);
    const app = new Client({ connectionString: postgres.url });
    await app.connect();
    await app.query(`BEGIN; INSERT INTO heliograph_outbox (topic) VALUES ('order/1'); ROLLBACK`);
    await app.query(`BEGIN; INSERT INTO heliograph_outbox (topic) VALUES ('order/2')`);
    expect(published()).toEqual([]);
    await app.query('COMMIT');
    await app.end();
    await eventually(async () => expect([published(), await rows()]).toEqual([[['order/2', undefined]], []]));
    expect(await outbox.stop()).toBe(0);
    expect(outbox.log()).not.toContain('"level":50');
  });

  it('publishes rows that were committed while it was away', async () => {
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1'), ('chat')`);
    await outboxOf((await webhookOf()).url);
    await eventually(async () => expect([published().length, await rows()]).toEqual([2, []]));
  });

  it('passes on data as it was written, and conflates the rows of a topic to the newest', async () => {
    await postgres.query(`
      INSERT INTO heliograph_outbox (topic, data) SELECT 'order/' || i % 3, to_json(i) FROM generate_series(1, 300) AS i;
      INSERT INTO heliograph_outbox (topic, data) VALUES ('chat', '{"n": 9007199254740993}')`);
    const outbox = await outboxOf((await webhookOf()).url);
    await eventually(async () => expect(await rows()).toEqual([]));
    expect(published().sort()).toEqual([
      ['chat', '{"n":9007199254740993}'],
      ['order/0', '300'],
      ['order/1', '298'],
      ['order/2', '299'],
    ]);
    const counts = [
      'outbox_rows_total',
      'outbox_updates_total',
      'outbox_refused_rows_total',
      'outbox_oldest_row_seconds',
    ];
    await eventually(async () => expect(await Promise.all(counts.map(outbox.metric))).toEqual([301, 4, 0, 0]));
  });

  it('publishes by triggers on tables, as the page says', async () => {
    await outboxOf((await webhookOf()).url);
    await postgres.query('CREATE TABLE orders (id bigint PRIMARY KEY, state text)');
    await postgres.query(readmeExample('sql', 'CREATE TRIGGER'));
    const topicsAfter = async (statement: string, topics: string[]) => {
      broker.published.length = 0;
      await postgres.query(statement);
      await eventually(() =>
        expect(
          published()
            .map(([topic]) => topic)
            .sort(),
        ).toEqual(topics),
      );
    };
    await topicsAfter(`INSERT INTO orders VALUES (1, 'new'), (2, 'new')`, ['order/1', 'order/2']);
    await topicsAfter(`UPDATE orders SET state = 'paid' WHERE id = 2`, ['order/2']);
    await topicsAfter('UPDATE orders SET id = 3 WHERE id = 2', ['order/2', 'order/3']);
    await topicsAfter('DELETE FROM orders WHERE id = 3', ['order/3']);
  });

  it.each(['INSERT INTO orders VALUES (2)', 'DELETE FROM orders'])(
    '%s fails if a trigger names no column',
    async (sql) => {
      await postgres.query('CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1)');
      await postgres.query(readmeExample('sql', 'CREATE TRIGGER').replace("'id'", "'key'"));
      await expect(postgres.query(sql)).rejects.toThrow('heliograph_publish: orders has no column key');
    },
  );

  it('publishes in a transaction, as the page says', async () => {
    await outboxOf((await webhookOf()).url);
    await postgres.query(
      `CREATE TABLE orders (id bigint PRIMARY KEY, state text); INSERT INTO orders VALUES (42, 'new')`,
    );
    await postgres.query(readmeExample('sql', 'INSERT INTO heliograph_outbox'));
    await eventually(() => expect(published()).toEqual([['order/42', undefined]]));
  });

  it('killed between the call and its commit leaves no row behind', async () => {
    const { url } = await webhookOf();
    let kill = () => {};
    // Passes the call on, and kills the outbox instead of answering.
    const between = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { host, connection, 'content-length': length, ...headers } = request.headers as Record<string, string>;
      await fetch(`${url}/webhook`, { method: 'POST', headers, body: Buffer.concat(chunks) });
      kill();
      response.destroy();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void between.close());
    await once(between, 'listening');
    const first = await outboxOf(`http://127.0.0.1:${(between.address() as AddressInfo).port}`);
    kill = () => first.kill('SIGKILL');
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1')`);
    expect(await first.ended()).toBe(null);
    expect([published().length, (await rows()).length]).toEqual([1, 1]);
    await outboxOf(url);
    await eventually(async () => expect([published().length, await rows()]).toEqual([2, []]));
  });

  it('keeps rows while the webhook cannot be reached, and publishes them once it can', async () => {
    const port = await freePort();
    const outbox = await outboxOf(`http://127.0.0.1:${port}`);
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1')`);
    await eventually(async () => expect(await outbox.metric('outbox_failures_total')).toBeGreaterThan(0));
    expect(await rows()).toHaveLength(1);
    await webhookOf(port);
    await eventually(async () => expect([published().length, await rows()]).toEqual([1, []]), 30_000);
    await eventually(() => expect(outbox.log()).toContain('publishing again'));
  });

  it('publishes each row once although the webhook limits its rate', async () => {
    await postgres.query(
      `INSERT INTO heliograph_outbox (topic, data) SELECT 'order/' || i, '1' FROM generate_series(1, 50) AS i`,
    );
    const secrets = [parseSigningSecret(WEBHOOK_SECRET)] as SigningCredential[];
    let nowMs = 0;
    const clock = { monotonicMs: () => nowMs };
    const webhook = await startWebhook({ broker, config: { secrets, pointsPerSecond: 20 }, clock });
    onTestFinished(() => webhook.stop());
    await outboxOf(webhook.url, { OUTBOX_BATCH: '20' });
    await eventually(() => expect(published()).toHaveLength(20));
    await eventually(async () => {
      nowMs += 100; // a failed attempt is repeated after a second or more
      expect(await rows()).toEqual([]);
    });
    expect(published()).toHaveLength(50);
  });

  it('keeps rows while its credentials are wrong', async () => {
    const outbox = await outboxOf((await webhookOf()).url, {
      WEBHOOK_SECRET: '',
      WEBHOOK_TOKEN: 'another-token-of-tests',
    });
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1')`);
    await eventually(async () => expect(await outbox.metric('outbox_failures_total')).toBeGreaterThan(0));
    expect(await rows()).toEqual([{ topic: 'order/1', refused: null }]);
    expect(outbox.log()).toContain('the webhook answered 401 unauthorized');
  });

  it('marks rows that the webhook refuses for good, publishes the others, and tries again once the mark is removed', async () => {
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1'), ('secret'), ('chat')`);
    const outbox = await outboxOf((await webhookOf()).url);
    await eventually(async () => expect(await rows()).toEqual([{ topic: 'secret', refused: 'topic_forbidden' }]));
    expect(published().map(([topic]) => topic)).toEqual(['order/1', 'chat']);
    await postgres.query('UPDATE heliograph_outbox SET refused = NULL');
    await eventually(async () => expect(await outbox.metric('outbox_refused_rows_total')).toBe(2));
  });

  it('connects again after PostgreSQL was restarted', async () => {
    const outbox = await outboxOf((await webhookOf()).url);
    await postgres.kill();
    await postgres.run();
    await postgres.query(`INSERT INTO heliograph_outbox (topic) VALUES ('order/1')`);
    await eventually(async () => expect([published().length, await rows()]).toEqual([1, []]), 30_000);
    expect(await outbox.stop()).toBe(0);
  });

  it('refuses topics and data that no webhook accepts in the transaction that writes them', async () => {
    for (const values of [
      `('a b', NULL)`,
      `('', NULL)`,
      `(repeat('x', 129), NULL)`,
      `('chat', to_json(repeat('x', 65000)))`,
    ]) {
      await expect(postgres.query(`INSERT INTO heliograph_outbox (topic, data) VALUES ${values}`)).rejects.toThrow(
        'check constraint',
      );
    }
  });
});

it('a second outbox leaves topics alone that the first one is publishing, so that older data never follows newer', async () => {
  const [first, second] = [0, 1].map(() => {
    const table = new PostgresOutboxTable({ url: postgres.url, batchRows: 10, woken() {} });
    onTestFinished(() => table.close());
    return table;
  }) as [PostgresOutboxTable, PostgresOutboxTable];
  const taken: (string | null)[][] = [];
  const publish = async (rows: readonly OutboxRow[]): Promise<BatchResult> => {
    taken.push(rows.map(({ topic, data }) => data ?? topic));
    return { published: rows.map(({ id }) => id), refused: new Map() };
  };
  const insert = (values: string) => postgres.query(`INSERT INTO heliograph_outbox (topic, data) VALUES ${values}`);

  await insert(`('chat', '1')`);
  await first.takeBatch(async (rows) => {
    await insert(`('chat', '2'), ('order/1', NULL)`);
    expect((await second.takeBatch(publish)).published).toHaveLength(1);
    return publish(rows);
  });
  expect((await second.takeBatch(publish)).published).toHaveLength(1);
  expect(taken).toEqual([['order/1'], ['1'], ['2']]);
  expect(await rows()).toEqual([]);
});
