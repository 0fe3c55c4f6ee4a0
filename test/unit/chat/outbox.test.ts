import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommentStore } from '../../../services/chat/comment-store.ts';
import { Outbox } from '../../../services/chat/outbox.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import { createLogger } from '../../../services/shared/logger.ts';

const TIMEOUT_MS = 3000;

/** A call to the webhook, completed by the test. */
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
    timeoutMs: TIMEOUT_MS,
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

/** Saves a comment and publishes it; `published` returns the result of `publish`, undefined until it resolves. */
function write(): { id: number; published: () => boolean | undefined } {
  const { id } = store.add({ name: 'Ada', text: 'Hello' });
  let result: boolean | undefined;
  void outbox.publish(id).then((published) => {
    result = published;
  });
  return { id, published: () => result };
}

async function complete(call: number, action: (call: Call) => void): Promise<void> {
  const found = calls[call];
  if (!found) throw new Error(`there is no call ${call}`);
  action(found);
  await vi.advanceTimersByTimeAsync(0);
}

describe('the outbox', () => {
  it('resolves once the webhook has acknowledged the update, and stores its version', async () => {
    const comment = write();
    expect(calls).toHaveLength(1);
    expect([comment.published(), report.pending]).toEqual([undefined, true]);
    await complete(0, (call) => call.succeed(70));
    expect(comment.published()).toBe(true);
    expect(store.published('chat')).toEqual({ commentId: comment.id, version: 70 });
    expect(outbox.pending).toBe(false);
    expect(report).toEqual({ published: 1, failed: 0, pending: false });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(1);
  });

  it('makes one call at a time, and one more for all comments saved after a call began', async () => {
    const first = write();
    const others = [write(), write(), write()];
    expect(calls).toHaveLength(1);
    await complete(0, (call) => call.succeed(70));
    expect(first.published()).toBe(true);
    expect(others.map(({ published }) => published())).toEqual([undefined, undefined, undefined]);
    expect(calls).toHaveLength(2);
    await complete(1, (call) => call.succeed(71));
    expect(others.map(({ published }) => published())).toEqual([true, true, true]);
    expect(calls).toHaveLength(2);
    expect(store.published('chat').version).toBe(71);
  });

  it('resolves with false after a failure, and retries with growing delays until it succeeds', async () => {
    const comment = write();
    await complete(0, (call) => call.fail());
    expect(comment.published()).toBe(false);
    expect([outbox.pending, report.pending]).toEqual([true, true]);
    for (const [index, delayMs] of [500, 1000, 2000, 4000, 8000, 10_000, 10_000].entries()) {
      await vi.advanceTimersByTimeAsync(delayMs * 0.99);
      expect(calls).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(delayMs * 0.01);
      expect(calls).toHaveLength(index + 2);
      await complete(index + 1, (call) => call.fail());
    }
    await vi.advanceTimersByTimeAsync(10_000);
    await complete(8, (call) => call.succeed(70));
    expect(outbox.pending).toBe(false);
    expect(report).toEqual({ published: 1, failed: 8, pending: false });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(9);
  });

  it('logs the first failure and the recovery, once each', async () => {
    write();
    await complete(0, (call) => call.fail());
    await vi.advanceTimersByTimeAsync(500);
    await complete(1, (call) => call.fail());
    await vi.advanceTimersByTimeAsync(1000);
    await complete(2, (call) => call.succeed(70));
    expect(log.map(({ level }) => level)).toEqual([40, 30]);
  });

  it('publishes once for many comments saved while the webhook was unavailable', async () => {
    write();
    await complete(0, (call) => call.fail());
    write();
    await complete(1, (call) => call.fail());
    const last = write();
    await complete(2, (call) => call.succeed(70));
    expect(last.published()).toBe(true);
    expect(store.published('chat').commentId).toBe(last.id);
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(3);
  });

  it('resolves with false after the timeout, and publishes later', async () => {
    const first = write();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    const second = write();
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    expect([first.published(), second.published()]).toEqual([false, undefined]);
    expect(outbox.delayed).toBe(true);
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
    expect(second.published()).toBe(false);
    await complete(0, (call) => call.succeed(70));
    await complete(1, (call) => call.succeed(71));
    expect([outbox.pending, outbox.delayed]).toEqual([false, false]);
  });

  it('publishes comments that an earlier process saved and did not publish', async () => {
    store.add({ name: 'Ada', text: 'Hello' });
    outbox.start();
    await complete(0, (call) => call.succeed(70));
    expect(outbox.pending).toBe(false);
  });

  it('publishes nothing at its start if nothing is pending', async () => {
    outbox.start();
    await vi.runAllTimersAsync();
    expect(calls).toEqual([]);
  });

  it('stops retrying if another process with the same file has published', async () => {
    const comment = write();
    await complete(0, (call) => call.fail());
    store.notePublished('chat', { commentId: comment.id, version: 70 });
    await vi.runAllTimersAsync();
    expect(calls).toHaveLength(1);
    expect([outbox.pending, outbox.delayed, report.pending]).toEqual([false, false, false]);
  });

  it('resolves all with false when stopped, makes no further call, and leaves the rest to the next process', async () => {
    const [first, second] = [write(), write()];
    outbox.stop();
    await vi.advanceTimersByTimeAsync(0);
    expect([first.published(), second.published()]).toEqual([false, false]);
    const late = write();
    await complete(0, (call) => call.succeed(70));
    await vi.runAllTimersAsync();
    expect(late.published()).toBe(false);
    expect(calls).toHaveLength(1);
    expect(outbox.pending).toBe(true);
  });

  it('retries after a failure of the database too', async () => {
    const comment = write();
    const noting = vi.spyOn(store, 'notePublished').mockImplementationOnce(() => {
      throw new Error('the database is locked');
    });
    await complete(0, (call) => call.succeed(70));
    expect(comment.published()).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    await complete(1, (call) => call.succeed(71));
    expect(noting).toHaveBeenCalledTimes(2);
    expect(outbox.pending).toBe(false);
  });
});
