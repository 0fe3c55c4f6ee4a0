import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommentStore } from '../../../services/chat/comment-store.ts';
import { Outbox } from '../../../services/chat/outbox.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import { createLogger } from '../../../services/shared/logger.ts';

const PATIENCE_MS = 3000;

/** A call to the webhook that a test ends. */
interface Call {
  succeed(version: number): void;
  fail(): void;
}

let store: CommentStore;
let outbox: Outbox;
let calls: Call[];
let log: { level: number; msg: string }[];
let report: { published: number; failed: number; pending: boolean | undefined };

beforeEach(() => {
  vi.useFakeTimers();
  store = new CommentStore({ file: ':memory:', nowMs: () => Date.now() });
  store.open();
  calls = [];
  log = [];
  report = { published: 0, failed: 0, pending: undefined };
  outbox = create();
});
afterEach(() => {
  outbox.stop();
  store.close();
  vi.useRealTimers();
});

function create(): Outbox {
  return new Outbox({
    store,
    topic: 'chat',
    publish: () =>
      new Promise((resolve, reject) => {
        calls.push({ succeed: resolve, fail: () => reject(new Error('the webhook cannot be reached')) });
      }),
    patienceMs: PATIENCE_MS,
    clock: { ...SYSTEM_CLOCK, random: () => 0.999 },
    logger: createLogger({ name: 'chat', level: 'info', destination: { write: (line) => log.push(JSON.parse(line)) } }),
    report: {
      published: () => (report.published += 1),
      failed: () => (report.failed += 1),
      pending: (pending) => {
        report.pending = pending;
      },
    },
  });
}

/** Saves a comment and publishes it; `told` is what its author is told, once that is known. */
function write(): { id: number; told: () => boolean | undefined } {
  const { id } = store.add({ name: 'Ada', text: 'Hello' });
  let answer: boolean | undefined;
  void outbox.publish(id).then((published) => {
    answer = published;
  });
  return { id, told: () => answer };
}

async function settle(call: number, act: (call: Call) => void): Promise<void> {
  const found = calls[call];
  if (!found) throw new Error(`there is no call ${call}`);
  act(found);
  await vi.advanceTimersByTimeAsync(0);
}

describe('the outbox', () => {
  it('tells the author once the webhook has taken the update, and notes its version', async () => {
    const comment = write();
    expect(calls).toHaveLength(1);
    expect([comment.told(), report.pending]).toEqual([undefined, true]);
    await settle(0, (call) => call.succeed(70));
    expect(comment.told()).toBe(true);
    expect(store.published('chat')).toEqual({ commentId: comment.id, version: 70 });
    expect(outbox.pending).toBe(false);
    expect(report).toEqual({ published: 1, failed: 0, pending: false });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(1);
  });

  it('calls once more for all comments that were saved after a call had begun, and one call at a time', async () => {
    const first = write();
    const others = [write(), write(), write()];
    expect(calls).toHaveLength(1);
    await settle(0, (call) => call.succeed(70));
    expect(first.told()).toBe(true);
    expect(others.map(({ told }) => told())).toEqual([undefined, undefined, undefined]);
    expect(calls).toHaveLength(2);
    await settle(1, (call) => call.succeed(71));
    expect(others.map(({ told }) => told())).toEqual([true, true, true]);
    expect(calls).toHaveLength(2);
    expect(store.published('chat').version).toBe(71);
  });

  it('tells the author that it failed, and repeats it with growing delays until it succeeds', async () => {
    const comment = write();
    await settle(0, (call) => call.fail());
    expect(comment.told()).toBe(false);
    expect([outbox.pending, report.pending]).toEqual([true, true]);
    for (const [index, delayMs] of [500, 1000, 2000, 4000, 8000, 10_000, 10_000].entries()) {
      await vi.advanceTimersByTimeAsync(delayMs * 0.99);
      expect(calls).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(delayMs * 0.01);
      expect(calls).toHaveLength(index + 2);
      await settle(index + 1, (call) => call.fail());
    }
    await vi.advanceTimersByTimeAsync(10_000);
    await settle(8, (call) => call.succeed(70));
    expect(outbox.pending).toBe(false);
    expect(report).toEqual({ published: 1, failed: 8, pending: false });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(9);
  });

  it('says once that it fails, however often, and once that it does no more', async () => {
    write();
    await settle(0, (call) => call.fail());
    await vi.advanceTimersByTimeAsync(500);
    await settle(1, (call) => call.fail());
    await vi.advanceTimersByTimeAsync(1000);
    await settle(2, (call) => call.succeed(70));
    expect(log.map(({ level }) => level)).toEqual([40, 30]);
  });

  it('publishes once for many comments that were saved while the webhook was away', async () => {
    write();
    await settle(0, (call) => call.fail());
    write();
    await settle(1, (call) => call.fail());
    const last = write();
    await settle(2, (call) => call.succeed(70));
    expect(last.told()).toBe(true);
    expect(store.published('chat').commentId).toBe(last.id);
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(3);
  });

  it('does not let an author wait longer than is patient, and publishes all the same', async () => {
    const first = write();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS / 2);
    const second = write();
    await vi.advanceTimersByTimeAsync(PATIENCE_MS / 2);
    expect([first.told(), second.told()]).toEqual([false, undefined]);
    expect(outbox.late).toBe(true);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS / 2);
    expect(second.told()).toBe(false);
    await settle(0, (call) => call.succeed(70));
    await settle(1, (call) => call.succeed(71));
    expect([outbox.pending, outbox.late]).toEqual([false, false]);
  });

  it('takes over what an earlier process has saved and not published', async () => {
    store.add({ name: 'Ada', text: 'Hello' });
    outbox.start();
    await settle(0, (call) => call.succeed(70));
    expect(outbox.pending).toBe(false);
  });

  it('publishes nothing at its start where there is nothing to tell', async () => {
    outbox.start();
    await vi.runAllTimersAsync();
    expect(calls).toEqual([]);
  });

  it('is content where another process with the same comments has published meanwhile', async () => {
    const comment = write();
    await settle(0, (call) => call.fail());
    store.notePublished('chat', { commentId: comment.id, version: 70 });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(1);
    expect([outbox.pending, outbox.late, report.pending]).toEqual([false, false, false]);
  });

  it('tells everybody at its end, calls no more, and leaves the rest to the next process', async () => {
    const [first, second] = [write(), write()];
    outbox.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect([first.told(), second.told()]).toEqual([false, false]);
    const late = write();
    await settle(0, (call) => call.succeed(70));
    await vi.runAllTimersAsync();
    expect(late.told()).toBe(false);
    expect(calls).toHaveLength(1);
    expect(outbox.pending).toBe(true);
  });

  it('tries again after trouble with the database too', async () => {
    const comment = write();
    const noting = vi.spyOn(store, 'notePublished').mockImplementationOnce(() => {
      throw new Error('the database is locked');
    });
    await settle(0, (call) => call.succeed(70));
    expect(comment.told()).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    await settle(1, (call) => call.succeed(71));
    expect(noting).toHaveBeenCalledTimes(2);
    expect(outbox.pending).toBe(false);
  });
});
