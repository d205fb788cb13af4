/**
 * Decides whether a history of concurrent operations can be explained by some order in which they took effect one after
 * the other, each between its call and its return (the algorithm of Wing and Gong, with the memoization of Lowe): a search
 * over orders that never visits the same set of performed operations with the same state twice.
 *
 * An operation without a return may have taken effect at any time after its call, or never.
 */
export interface Model<State, Operation> {
  readonly initial: State;
  /** The state after `operation`, or undefined when it cannot have given what it gave in this state. */
  step(state: State, operation: Operation): State | undefined;
  /** Equal for equal states and only for these. */
  key(state: State): string;
}

export interface HistoryEntry<Operation> {
  readonly operation: Operation;
  /** When it was called; all calls and returns of a history have different numbers. */
  readonly called: number;
  /** Undefined when nobody knows whether it took effect. */
  readonly returned: number | undefined;
}

export type Verdict<Operation> =
  | { readonly kind: 'linearizable' }
  /** `stuck`: an operation that fits nowhere after the longest order that was found. */
  | { readonly kind: 'violated'; readonly stuck: HistoryEntry<Operation>; readonly performed: number }
  /** The search was given up after `maxSteps`. */
  | { readonly kind: 'undecided' };

/** A call or a return in a doubly linked list, in order of their numbers. */
interface Mark {
  readonly index: number;
  /** Undefined for a return. */
  readonly call: boolean;
  /** The return that belongs to a call, if there is one. */
  partner: Mark | undefined;
  previous: Mark | undefined;
  next: Mark | undefined;
}

export function checkLinearizable<State, Operation>(
  model: Model<State, Operation>,
  history: readonly HistoryEntry<Operation>[],
  maxSteps = 1_000_000,
): Verdict<Operation> {
  const head = marksOf(history);
  const seen = new Set<string>();
  const performed = new Uint32Array(Math.ceil(history.length / 32));
  const stack: { readonly mark: Mark; readonly state: State }[] = [];
  let state = model.initial;
  let left = history.filter(({ returned }) => returned !== undefined).length;
  let longest = -1;
  let stuck = history[0];
  let mark = head.next;
  for (let steps = 0; left > 0; steps++) {
    if (steps >= maxSteps) return { kind: 'undecided' };
    if (mark?.call) {
      const { operation, returned } = history[mark.index] as HistoryEntry<Operation>;
      const after = model.step(state, operation);
      if (after !== undefined) {
        flip(performed, mark.index);
        const key = `${performed.join()} ${model.key(after)}`;
        if (!seen.has(key)) {
          seen.add(key);
          stack.push({ mark, state });
          state = after;
          lift(mark);
          if (returned !== undefined) left -= 1;
          mark = head.next;
          continue;
        }
        flip(performed, mark.index);
      }
      mark = mark.next;
      continue;
    }
    // Nothing that was called before this return fits: an earlier choice was wrong.
    if (stack.length > longest && mark) {
      longest = stack.length;
      stuck = history[mark.index];
    }
    const last = stack.pop();
    if (!last) {
      return { kind: 'violated', stuck: stuck as HistoryEntry<Operation>, performed: Math.max(0, longest) };
    }
    flip(performed, last.mark.index);
    unlift(last.mark);
    if (history[last.mark.index]?.returned !== undefined) left += 1;
    state = last.state;
    mark = last.mark.next;
  }
  return { kind: 'linearizable' };
}

function marksOf<Operation>(history: readonly HistoryEntry<Operation>[]): Mark {
  const numbered: { readonly at: number; readonly mark: Mark }[] = [];
  history.forEach(({ called, returned }, index) => {
    const end: Mark | undefined =
      returned === undefined
        ? undefined
        : { index, call: false, partner: undefined, previous: undefined, next: undefined };
    const start: Mark = { index, call: true, partner: end, previous: undefined, next: undefined };
    numbered.push({ at: called, mark: start });
    if (end && returned !== undefined) numbered.push({ at: returned, mark: end });
  });
  numbered.sort((one, other) => one.at - other.at);
  const head: Mark = { index: -1, call: true, partner: undefined, previous: undefined, next: undefined };
  let last = head;
  for (const { mark } of numbered) {
    last.next = mark;
    mark.previous = last;
    last = mark;
  }
  return head;
}

/** Takes a call and its return out of the list. */
function lift(mark: Mark): void {
  for (const one of [mark, mark.partner]) {
    if (!one) continue;
    if (one.previous) one.previous.next = one.next;
    if (one.next) one.next.previous = one.previous;
  }
}

/** Undoes the latest `lift`. */
function unlift(mark: Mark): void {
  for (const one of [mark.partner, mark]) {
    if (!one) continue;
    if (one.previous) one.previous.next = one;
    if (one.next) one.next.previous = one;
  }
}

function flip(set: Uint32Array, index: number): void {
  const word = index >>> 5;
  set[word] = ((set[word] ?? 0) ^ (1 << (index & 31))) >>> 0;
}
