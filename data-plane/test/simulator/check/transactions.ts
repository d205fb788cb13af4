/** What clients do to a database, as the linearizability checker sees it: transactions over keys and values. */
import type { ModelResult } from '../engine/model-protocol.js';
import { perform, type DataOperation, type ReadKey } from '../engine/operations.js';
import type { HistoryEntry, Model } from './linearizability.js';

export interface Transaction {
  readonly operations: readonly DataOperation[];
  /** What each gave; undefined where no answer came. */
  readonly results: readonly (ModelResult | undefined)[];
  /** False when it was rolled back: it has only read. */
  readonly isCommitted: boolean;
}

export type TransactionEntry = HistoryEntry<Transaction>;

type KeyValues = ReadonlyMap<string, string>;

export function transactionModel(initial: KeyValues = new Map()): Model<KeyValues, Transaction> {
  return {
    initial,
    step(state, { operations, results, isCommitted }) {
      const changed = new Map(state);
      const read: ReadKey = (key) => changed.get(key);
      for (const [index, operation] of operations.entries()) {
        const { result, writes } = perform(operation, read, () => [...changed]);
        const given = results[index];
        if (given !== undefined && JSON.stringify(given) !== JSON.stringify(result)) return undefined;
        for (const [key, value] of writes) {
          if (value === null) changed.delete(key);
          else changed.set(key, value);
        }
      }
      return isCommitted ? changed : state;
    },
    key: (state) =>
      [...state]
        // Padding follows from what stands before it.
        .map(([key, value]) => `${key}=${value.replace(/\.+$/, '')}`)
        .sort()
        .join(' '),
  };
}

/** Splits a history into parts that share no key: it is linearizable if and only if every part is. */
export function independentParts(history: readonly TransactionEntry[]): TransactionEntry[][] {
  const allKeys = new Set(history.flatMap(({ operation }) => operation.operations.flatMap(namedKeys)));
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
    return root;
  };
  const keysOf = ({ operation }: TransactionEntry): string[] =>
    operation.operations.flatMap((one) =>
      one.op === 'all' ? [...allKeys].filter((key) => key.startsWith(one.prefix)) : namedKeys(one),
    );
  for (const entry of history) {
    const [first, ...others] = keysOf(entry);
    if (first === undefined) continue;
    for (const other of others) if (rootOf(other) !== rootOf(first)) parents.set(rootOf(other), rootOf(first));
  }
  const parts = new Map<string, TransactionEntry[]>();
  for (const entry of history) {
    const [first] = keysOf(entry);
    const root = first === undefined ? '' : rootOf(first);
    const part = parts.get(root);
    if (part) part.push(entry);
    else parts.set(root, [entry]);
  }
  return [...parts.values()];
}

function namedKeys(operation: DataOperation): string[] {
  if (operation.op === 'all') return [];
  return operation.op === 'transfer' ? [operation.from, operation.to] : [operation.key];
}

/** One line about an entry. */
export function describeEntry({ operation, called, returned }: TransactionEntry): string {
  const steps = operation.operations.map(
    (one, index) => `${JSON.stringify(one)} → ${JSON.stringify(operation.results[index] ?? 'no answer')}`,
  );
  return `[${called}, ${returned ?? 'open'}] ${operation.isCommitted ? '' : 'rolled back: '}${steps.join('; ')}`;
}
