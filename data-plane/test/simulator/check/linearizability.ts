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
  /** When it was called; no call has the number of a return. */
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

export interface SearchOptions<Operation> {
  /** The search is given up after this many attempts to perform an operation. @default 1000000 */
  readonly maxSteps?: number;
  /** Of operations that could come next, the one with the lowest rank is tried first. It decides nothing but the time. */
  readonly rank?: (entry: HistoryEntry<Operation>) => number;
}

/** Where the search stands: what could come next, and what of it was tried. */
interface Frame<State> {
  readonly state: State;
  readonly candidates: readonly Mark[];
  next: number;
}

export function checkLinearizable<State, Operation>(
  model: Model<State, Operation>,
  history: readonly HistoryEntry<Operation>[],
  { maxSteps = 1_000_000, rank = () => 0 }: SearchOptions<Operation> = {},
): Verdict<Operation> {
  const ranks = history.map(rank);
  const head = marksOf(history);
  const seen = new Set<string>();
  const performed = new Uint32Array(Math.ceil(history.length / 32));
  const taken: Mark[] = [];
  const frames: Frame<State>[] = [{ state: model.initial, candidates: candidatesAfter(head, ranks), next: 0 }];
  let left = history.filter(({ returned }) => returned !== undefined).length;
  let longest = -1;
  let stuck = history[0];
  for (let steps = 0; left > 0;) {
    const frame = frames.at(-1) as Frame<State>;
    const mark = frame.candidates[frame.next++];
    if (!mark) {
      // Whatever comes next here, it does not fit: an earlier choice was wrong.
      if (taken.length > longest) {
        longest = taken.length;
        stuck = history[firstReturn(head)?.index ?? 0];
      }
      frames.pop();
      const last = taken.pop();
      if (!last) {
        return { kind: 'violated', stuck: stuck as HistoryEntry<Operation>, performed: Math.max(0, longest) };
      }
      flip(performed, last.index);
      unlift(last);
      if (history[last.index]?.returned !== undefined) left += 1;
      continue;
    }
    if (++steps > maxSteps) return { kind: 'undecided' };
    const { operation, returned } = history[mark.index] as HistoryEntry<Operation>;
    const after = model.step(frame.state, operation);
    if (after === undefined) continue;
    flip(performed, mark.index);
    const key = `${performed.join()} ${model.key(after)}`;
    if (seen.has(key)) {
      flip(performed, mark.index);
      continue;
    }
    seen.add(key);
    lift(mark);
    taken.push(mark);
    if (returned !== undefined) left -= 1;
    frames.push({ state: after, candidates: candidatesAfter(head, ranks), next: 0 });
  }
  return { kind: 'linearizable' };
}

/** The operations that were called before any that is left has returned, by rank. */
function candidatesAfter(head: Mark, ranks: readonly number[]): Mark[] {
  const candidates: Mark[] = [];
  for (let mark = head.next; mark?.call; mark = mark.next) candidates.push(mark);
  return candidates.sort((one, other) => (ranks[one.index] ?? 0) - (ranks[other.index] ?? 0));
}

function firstReturn(head: Mark): Mark | undefined {
  let mark = head.next;
  while (mark?.call) mark = mark.next;
  return mark;
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
