type Handler = ((event: { data: unknown }) => void) | null;

/** A pending or granted request for a lock. */
interface LockRequest {
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  isOver: boolean;
}

/** The parts of a browser that tabs need to share a connection: channels, locks, and one document for all of them. */
export class FakeBrowser {
  readonly document = Object.assign(new EventTarget(), { hidden: false });
  readonly window = new EventTarget();
  /** What handlers of channels have thrown. */
  readonly errors: unknown[] = [];
  readonly #channels = new Set<FakeChannel>();
  readonly #locks = new Map<string, LockRequest[]>();

  readonly BroadcastChannel: new (
    name: string,
  ) => FakeChannel;

  readonly locks = {
    request: (
      name: string,
      options: { signal?: AbortSignal; steal?: boolean },
      run: () => Promise<unknown>,
    ): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const request: LockRequest = { run, resolve, reject, isOver: false };
        const queue = this.#locks.get(name) ?? [];
        this.#locks.set(name, queue);
        if (options.steal) {
          const [holder] = queue.splice(0, 1, request);
          if (holder) this.#end(holder, () => holder.reject(new DOMException('stolen', 'AbortError')));
          this.#grant(name);
          return;
        }
        queue.push(request);
        options.signal?.addEventListener('abort', () => {
          if (queue[0] === request || !queue.includes(request)) return; // granted, or ended
          queue.splice(queue.indexOf(request), 1);
          this.#end(request, () => reject(new DOMException('aborted', 'AbortError')));
        });
        if (queue.length === 1) this.#grant(name);
      }),
  };

  constructor() {
    const channels = this.#channels;
    const { errors } = this;
    this.BroadcastChannel = class extends FakeChannel {
      constructor(name: string) {
        super(name, channels, errors);
      }
    };
  }

  /** Returns a function that stops the newest channel from sending and receiving, as if its tab were frozen. */
  muting(): () => void {
    const newest = [...this.#channels].at(-1);
    return () => {
      if (newest) newest.isMute = true;
    };
  }

  #grant(name: string): void {
    const queue = this.#locks.get(name) ?? [];
    const [holder] = queue;
    if (!holder) return;
    queueMicrotask(async () => {
      const value = await holder.run();
      if (holder.isOver) return;
      queue.shift();
      this.#end(holder, () => holder.resolve(value));
      this.#grant(name);
    });
  }

  #end(request: LockRequest, complete: () => void): void {
    request.isOver = true;
    complete();
  }
}

class FakeChannel {
  readonly #name: string;
  readonly #channels: Set<FakeChannel>;
  readonly #errors: unknown[];
  onmessage: Handler = null;
  isMute = false;

  constructor(name: string, channels: Set<FakeChannel>, errors: unknown[]) {
    this.#name = name;
    this.#channels = channels;
    this.#errors = errors;
    channels.add(this);
  }

  postMessage(message: unknown): void {
    if (!this.#channels.has(this)) throw new DOMException('the channel is closed', 'InvalidStateError');
    const data = structuredClone(message);
    for (const channel of this.#channels) {
      if (channel === this || channel.#name !== this.#name || this.isMute) continue;
      queueMicrotask(() => {
        if (!this.#channels.has(channel) || channel.isMute) return;
        try {
          channel.onmessage?.({ data });
        } catch (error) {
          this.#errors.push(error);
        }
      });
    }
  }

  close(): void {
    this.#channels.delete(this);
  }
}
