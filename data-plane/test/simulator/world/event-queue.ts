/** Things that will happen, ordered by time and, at the same time, by when they were added. */
export interface QueuedEvent {
  readonly atMs: number;
  readonly order: number;
  /** Undefined when it was cancelled. */
  run: (() => void) | undefined;
}

/** A binary heap; cancelled events stay in it until they come to the top. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #nextOrder = 0;

  add(atMs: number, run: () => void): QueuedEvent {
    const event: QueuedEvent = { atMs, order: this.#nextOrder++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as QueuedEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /** The next event, still in the queue. */
  peek(): QueuedEvent | undefined {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      if (first.run) return first;
      this.#removeFirst();
    }
    return undefined;
  }

  /** Removes what `peek` returned. */
  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as QueuedEvent;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as QueuedEvent)) child += 1;
      if (!isBefore(heap[child] as QueuedEvent, last)) break;
      heap[at] = heap[child] as QueuedEvent;
      at = child;
    }
    heap[at] = last;
  }

  take(): QueuedEvent | undefined {
    const first = this.peek();
    if (first) this.#removeFirst();
    return first;
  }
}

function isBefore(one: QueuedEvent, other: QueuedEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
