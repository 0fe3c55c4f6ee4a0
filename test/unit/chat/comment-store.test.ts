import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BATCH_SIZE, CommentStore } from '../../../services/chat/comment-store.ts';

let folder: string;
let nowMs: number;
const stores: CommentStore[] = [];

function open(file = ':memory:', maxComments = 1000): CommentStore {
  const store = new CommentStore({ file, nowMs: () => nowMs, maxComments });
  store.open();
  stores.push(store);
  return store;
}

function add(store: CommentStore, count: number): number[] {
  return Array.from({ length: count }, (_, index) => store.add({ name: 'Ada', text: `number ${index}` }).id);
}

beforeEach(() => {
  nowMs = 1_790_000_000_000;
  folder = mkdtempSync(join(tmpdir(), 'heliograph-chat-'));
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  rmSync(folder, { recursive: true });
});

describe('stored comments', () => {
  it('are returned unchanged, newest first', () => {
    const store = open();
    const first = store.add({ name: 'Ada', text: 'one\ntwo' });
    nowMs += 5;
    const second = store.add({ name: "O'Hara", text: '<b>?:@$%_' });
    expect(store.newest()).toEqual({ comments: [second, first], complete: true });
    expect([first.id, second.id]).toEqual([1_790_000_000_000_000, 1_790_000_000_005_000]);
  });

  it('have increasing ids, also within one microsecond and when the clock steps back', () => {
    const store = open();
    const [one = 0, two] = add(store, 2);
    nowMs -= 60_000;
    const [three] = add(store, 1);
    expect([two, three]).toEqual([one + 1, one + 2]);
    expect(store.newestId()).toBe(three);
  });

  it('after an id are those with greater ids', () => {
    const store = open();
    const ids = add(store, 3);
    expect(store.newest(ids[0]).comments.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(store.newest(ids[2])).toEqual({ comments: [], complete: true });
    expect(store.newest(Number.MAX_SAFE_INTEGER)).toEqual({ comments: [], complete: true });
  });

  it('are limited to the newest batch, which is then marked incomplete', () => {
    const store = open();
    const ids = add(store, BATCH_SIZE + 1);
    expect(store.newest(ids[0]).complete).toBe(true);
    const { comments, complete } = store.newest();
    expect(comments.map(({ id }) => id)).toEqual(ids.slice(1).reverse());
    expect(complete).toBe(false);
  });

  it('are deleted above the limit, oldest first', () => {
    const file = join(folder, 'chat.db');
    const [, second] = add(open(file, 50), 51);
    const database = new Database(file);
    const kept = database.prepare('SELECT count(*) AS count, min(id) AS oldest FROM comments').get();
    database.close();
    expect(kept).toMatchObject({ count: 50, oldest: second });
  });

  it('persist in the file', () => {
    const file = join(folder, 'chat.db');
    const first = open(file);
    const comment = first.add({ name: 'Ada', text: 'Hello' });
    first.notePublished('chat', { commentId: comment.id, version: 7 });
    first.close();
    const second = open(file);
    expect(second.newest().comments).toEqual([comment]);
    expect(second.published('chat')).toEqual({ commentId: comment.id, version: 7 });
  });

  it('can be shared by several processes', () => {
    const file = join(folder, 'chat.db');
    const [one, two] = [open(file), open(file)];
    const comment = one.add({ name: 'Ada', text: 'Hello' });
    expect(two.newest().comments).toEqual([comment]);
    expect(two.add({ name: 'Ada', text: 'Again' }).id).toBe(comment.id + 1);
  });

  it('cannot be stored in a missing folder: the error names the setting', () => {
    expect(() => open(join(folder, 'nowhere', 'chat.db'))).toThrow(
      /^the database .*nowhere.chat\.db cannot be used .*CHAT_DB/,
    );
  });
});

describe('the published mark', () => {
  it('is zero at first', () => {
    expect(open().published('chat')).toEqual({ commentId: 0, version: 0 });
  });

  it('is stored by topic, and never goes back', () => {
    const store = open();
    store.notePublished('chat', { commentId: 5, version: 50 });
    store.notePublished('chat', { commentId: 4, version: 40 });
    store.notePublished('news', { commentId: 1, version: 10 });
    expect(store.published('chat')).toEqual({ commentId: 5, version: 50 });
    expect(store.published('news')).toEqual({ commentId: 1, version: 10 });
  });

  it('has the version of the last update, even if it is lower than the one before', () => {
    const store = open();
    store.notePublished('chat', { commentId: 5, version: 50 });
    store.notePublished('chat', { commentId: 6, version: 30 });
    expect(store.published('chat')).toEqual({ commentId: 6, version: 30 });
  });

  it('lets no other user read its files', () => {
    const file = join(folder, 'chat.db');
    add(open(file), 1);
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
    expect(readdirSync(folder)).toContain('chat.db-wal');
  });
});
