/** An event with its due time; without a callback if it was cancelled. */
export interface QueuedEvent {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/** A queue of events by due time, then by the order of adding; a binary heap. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #added = 0;

  add(atMs: number, callback: () => void): QueuedEvent {
    const event: QueuedEvent = { atMs, order: this.#added, callback };
    this.#added += 1;
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[i] = heap[parent] as QueuedEvent;
      i = parent;
    }
    heap[i] = event;
    return event;
  }

  /** The due time of the next event; infinity if the queue is empty. */
  get nextAtMs(): number {
    while (this.#heap.length > 0 && !this.#heap[0]?.callback) this.#take();
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Removes the next event if it is due, and returns its callback. */
  takeDue(nowMs: number): (() => void) | undefined {
    return this.nextAtMs <= nowMs ? this.#take()?.callback : undefined;
  }

  #take(): QueuedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[i] = heap[child] as QueuedEvent;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: QueuedEvent | undefined, b: QueuedEvent | undefined): boolean {
  if (!a || !b) return a !== undefined;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
