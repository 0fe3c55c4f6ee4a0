import { Client } from 'pg';

/** A row of the table `heliograph_outbox`. */
export interface OutboxRow {
  readonly id: string;
  readonly topic: string;
  /** JSON as it was written; null if the update has no data. */
  readonly data: string | null;
}

/** What became of the rows of a batch, by their ids. Rows that are in neither list stay. */
export interface BatchResult {
  readonly published: readonly string[];
  /** Rows that will never be accepted, by the error code of the webhook. */
  readonly refused: ReadonlyMap<string, readonly string[]>;
  /** Why a call failed, so that other rows stay; undefined if none did. */
  readonly failure?: Error | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
const QUERY_TIMEOUT_MS = 10_000;
/** Releases the rows of a process that stands still. Longer than `publishRows` takes. */
const IDLE_TIMEOUT_MS = 60_000;

/**
 * Takes the oldest rows of topics that no other process is publishing at the moment: `data` is a snapshot, and an older one must
 * not overtake a newer one. Locks end with the transaction.
 */
const TAKE = `
  WITH oldest AS MATERIALIZED (
    SELECT id, topic FROM heliograph_outbox WHERE refused IS NULL ORDER BY id LIMIT $1
  ), mine AS MATERIALIZED (
    SELECT id FROM oldest WHERE pg_try_advisory_xact_lock(hashtext('heliograph_outbox'), hashtext(topic))
  )
  SELECT id, topic, data::text AS data FROM heliograph_outbox JOIN mine USING (id)
  ORDER BY id FOR UPDATE OF heliograph_outbox SKIP LOCKED`;

const OLDEST = `
  SELECT extract(epoch FROM clock_timestamp() - created_at) AS age
  FROM heliograph_outbox WHERE refused IS NULL ORDER BY id LIMIT 1`;

/** The outbox table in PostgreSQL, by one connection, which is opened again when it is needed. */
export class PostgresOutboxTable {
  readonly #url: string;
  readonly #batchRows: number;
  readonly #woken: () => void;
  #client: Client | undefined;

  /** @param deps.woken called when rows were added, as far as that is known */
  constructor(deps: { url: string; batchRows: number; woken: () => void }) {
    this.#url = deps.url;
    this.#batchRows = deps.batchRows;
    this.#woken = deps.woken;
  }

  /**
   * Runs `publish` with the next rows, then removes those that it has published, in one transaction: if this process ends
   * before, all of them stay. Returns what `publish` returned; nothing was published if there are no rows.
   */
  async takeBatch(publish: (rows: readonly OutboxRow[]) => Promise<BatchResult>): Promise<BatchResult> {
    const client = await this.#connect();
    await client.query('BEGIN');
    try {
      const { rows } = await client.query<OutboxRow>(TAKE, [this.#batchRows]);
      const result: BatchResult = rows.length > 0 ? await publish(rows) : { published: [], refused: new Map() };
      const { published, refused } = result;
      if (published.length > 0) await client.query('DELETE FROM heliograph_outbox WHERE id = ANY($1)', [published]);
      for (const [code, ids] of refused) {
        await client.query('UPDATE heliograph_outbox SET refused = $2 WHERE id = ANY($1)', [ids, code]);
      }
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => this.close());
      throw error;
    }
  }

  /** Returns the age of the oldest row that is not published yet, in seconds; 0 if there is none. */
  async oldestAgeS(): Promise<number> {
    const client = await this.#connect();
    const { rows } = await client.query<{ age: string }>(OLDEST);
    return Math.max(0, Number(rows[0]?.age ?? 0));
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<Client> {
    if (this.#client) return this.#client;
    const client = new Client({
      connectionString: this.#url,
      application_name: 'heliograph-outbox',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
    });
    // Without a listener, a connection that breaks would end the process. The next query fails, or connects again.
    client.on('error', () => {});
    client.on('end', () => {
      if (this.#client === client) this.#client = undefined;
      this.#woken();
    });
    client.on('notification', () => this.#woken());
    try {
      await client.connect();
      await client.query('LISTEN heliograph_outbox');
    } catch (error) {
      void client.end().catch(() => {}); // a standby, for example, accepts the connection and refuses the query
      throw error;
    }
    this.#client = client;
    return client;
  }
}
