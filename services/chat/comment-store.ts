import { closeSync, openSync } from 'node:fs';
import Database from 'libsql';
import { StartError } from '../shared/start-error.ts';
import type { Comment, CommentBatch, CommentDraft } from './comment.ts';

/** Number of comments on a page and in a batch. */
export const BATCH_SIZE = 20;
/** Older comments are deleted, so that the file does not grow forever. */
const MAX_COMMENTS = 10_000;

/** How long to wait for a file that another process has locked, in milliseconds. */
const LOCK_TIMEOUT_MS = 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS comments (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS published (
    topic TEXT PRIMARY KEY, comment_id INTEGER NOT NULL, version INTEGER NOT NULL
  ) STRICT;
`;

/** The newest published comment, and the version of its update. */
export interface PublishedMark {
  readonly commentId: number;
  readonly version: number;
}

/** Stores the comments in a SQLite file, and with them, for each topic, the newest comment that is published. */
export class CommentStore {
  readonly #file: string;
  readonly #nowMs: () => number;
  readonly #maxComments: number;
  #open: ReturnType<typeof prepare> | undefined;

  /**
   * @param options.file may be `:memory:`
   * @param options.maxComments older ones are deleted; 10,000 by default
   */
  constructor(options: { file: string; nowMs: () => number; maxComments?: number }) {
    this.#file = options.file;
    this.#nowMs = options.nowMs;
    this.#maxComments = options.maxComments ?? MAX_COMMENTS;
  }

  /**
   * Opens the file; creates it if it is missing.
   *
   * @throws {StartError} if it cannot be used
   */
  open(): void {
    try {
      createPrivately(this.#file);
      this.#open = prepare(new Database(this.#file, { timeout: LOCK_TIMEOUT_MS }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(`the database ${this.#file} cannot be used (${reason}): set CHAT_DB to a file that can`);
    }
  }

  /** Closes the file. Does nothing if it is not open. */
  close(): void {
    this.#open?.database.close();
    this.#open = undefined;
  }

  /** Saves a comment, and deletes the oldest one if there are too many. */
  add(comment: CommentDraft): Comment {
    const { id } = this.#statements.add.get(this.#nowMs() * 1000, comment.name, comment.text) as { id: number };
    this.#statements.deleteOldest.run(this.#maxComments);
    return { id, ...comment };
  }

  /** Returns the newest comments, at most `BATCH_SIZE`, whose ids are greater than `after`. */
  newest(after = 0): CommentBatch {
    const found = this.#statements.newest.all(after, BATCH_SIZE + 1) as Comment[];
    const comments = found.slice(0, BATCH_SIZE).map(({ id, name, text }) => ({ id, name, text }));
    return { comments, complete: found.length <= BATCH_SIZE };
  }

  /** Returns the greatest id; 0 if there is no comment. */
  newestId(): number {
    return (this.#statements.newestId.get() as { id: number }).id;
  }

  /** Returns the newest published comment of a topic; zeros if there is none. */
  published(topic: string): PublishedMark {
    const row = this.#statements.published.get(topic) as PublishedMark | undefined;
    return { commentId: row?.commentId ?? 0, version: row?.version ?? 0 };
  }

  /** Marks a comment, and all older ones, as published. Ignored if a newer one is marked already. */
  notePublished(topic: string, mark: PublishedMark): void {
    this.#statements.notePublished.run(topic, mark.commentId, mark.version);
  }

  get #statements(): ReturnType<typeof prepare> {
    if (!this.#open) throw new Error('the database is not open');
    return this.#open;
  }
}

/** Creates the file for this user only; SQLite gives its other files the same permissions. An existing file keeps its own. */
function createPrivately(file: string): void {
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
}

function prepare(database: Database.Database) {
  // With a write-ahead log and NORMAL, a crash of the process loses nothing, and a power cut at most the last comments.
  // Waiting for the disk would block the event loop.
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec(SCHEMA);
  return {
    database,
    add: database.prepare(
      'INSERT INTO comments SELECT max(?, (SELECT coalesce(max(id), 0) + 1 FROM comments)), ?, ? RETURNING id',
    ),
    deleteOldest: database.prepare(
      'DELETE FROM comments WHERE id <= (SELECT id FROM comments ORDER BY id DESC LIMIT 1 OFFSET ?)',
    ),
    newest: database.prepare('SELECT id, name, text FROM comments WHERE id > ? ORDER BY id DESC LIMIT ?'),
    newestId: database.prepare('SELECT coalesce(max(id), 0) AS id FROM comments'),
    published: database.prepare('SELECT comment_id AS commentId, version FROM published WHERE topic = ?'),
    notePublished: database.prepare(
      `INSERT INTO published VALUES (?, ?, ?) ON CONFLICT DO UPDATE
       SET comment_id = excluded.comment_id, version = excluded.version WHERE excluded.comment_id >= comment_id`,
    ),
  };
}
