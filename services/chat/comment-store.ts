import Database from 'libsql';
import { StartError } from '../shared/start-error.ts';
import type { Comment, NewComment, News } from './comment.ts';

/** How many comments a page shows. */
export const NEWEST = 20;
/** Older comments are forgotten, so that the file does not grow forever. */
const KEPT_COMMENTS = 10_000;

/** How long another process may keep the file locked, in milliseconds; this one waits meanwhile. */
const LOCK_TIMEOUT_MS = 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS comments (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS published (
    topic TEXT PRIMARY KEY, comment_id INTEGER NOT NULL, version INTEGER NOT NULL
  ) STRICT;
`;

/** Up to which comment the cluster was told, and the version that this update got. */
export interface PublishedMark {
  readonly commentId: number;
  readonly version: number;
}

/** The comments, in a SQLite file; and, beside them, how far they have been published. */
export class CommentStore {
  readonly #file: string;
  readonly #nowMs: () => number;
  readonly #kept: number;
  #open: ReturnType<typeof prepare> | undefined;

  /** `file` may be `:memory:`; of the comments so many are `kept`, the newest. */
  constructor(options: { file: string; nowMs: () => number; kept?: number }) {
    this.#file = options.file;
    this.#nowMs = options.nowMs;
    this.#kept = options.kept ?? KEPT_COMMENTS;
  }

  /** Opens the file, and makes it where there is none. Throws a `StartError`. */
  open(): void {
    try {
      this.#open = prepare(new Database(this.#file, { timeout: LOCK_TIMEOUT_MS }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(`the database ${this.#file} cannot be used (${reason}): set CHAT_DB to a file that can`);
    }
  }

  /** Idempotent, and harmless before `open`. */
  close(): void {
    this.#open?.database.close();
    this.#open = undefined;
  }

  /** Saves a comment. */
  add(comment: NewComment): Comment {
    const { id } = this.#statements.add.get(this.#nowMs() * 1000, comment.name, comment.text) as { id: number };
    this.#statements.forget.run(this.#kept);
    return { id, ...comment };
  }

  /** The newest comments with greater ids than `after`; 0 for all. */
  newest(after = 0): News {
    const found = this.#statements.newest.all(after, NEWEST + 1) as Comment[];
    const comments = found.slice(0, NEWEST).map(({ id, name, text }) => ({ id, name, text }));
    return { comments, complete: found.length <= NEWEST };
  }

  /** The greatest id; 0 where there is no comment. */
  newestId(): number {
    return (this.#statements.newestId.get() as { id: number }).id;
  }

  /** How far this topic's listeners have been told; zeros where never. */
  published(topic: string): PublishedMark {
    const row = this.#statements.published.get(topic) as PublishedMark | undefined;
    return { commentId: row?.commentId ?? 0, version: row?.version ?? 0 };
  }

  /** Notes how far they have; never goes back. */
  notePublished(topic: string, mark: PublishedMark): void {
    this.#statements.notePublished.run(topic, mark.commentId, mark.version);
  }

  get #statements(): ReturnType<typeof prepare> {
    if (!this.#open) throw new Error('the database is not open');
    return this.#open;
  }
}

function prepare(database: Database.Database) {
  // With a write-ahead log and NORMAL, a crash of this process loses nothing, and a power cut the last moments at
  // most: a comment that waited for the disk would hold up everything else here.
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec(SCHEMA);
  return {
    database,
    add: database.prepare(
      'INSERT INTO comments SELECT max(?, (SELECT coalesce(max(id), 0) + 1 FROM comments)), ?, ? RETURNING id',
    ),
    forget: database.prepare(
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
