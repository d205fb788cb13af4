/** What the operations of the model engine do to keys and values, whoever keeps these. The checker knows the same rules. */
import type { ModelOperation, ModelResult } from './model-protocol.js';

/** Reads a key; undefined when it is not there. */
export type ReadKey = (key: string) => string | undefined;

export type DataOperation = Extract<ModelOperation, { op: 'get' | 'set' | 'append' | 'transfer' | 'all' }>;

export interface Effect {
  readonly result: ModelResult;
  readonly writes: readonly (readonly [key: string, value: string | null])[];
}

/** A value must fit a page. */
const longestList = 3_000;

export function isDataOperation(operation: ModelOperation): operation is DataOperation {
  return ['get', 'set', 'append', 'transfer', 'all'].includes(operation.op);
}

export function isWrite({ op }: ModelOperation): boolean {
  return op === 'set' || op === 'append' || op === 'transfer' || op === 'compact' || op === 'begin';
}

/** What `operation` gives and writes. `all` lists everything that `read` can see. */
export function perform(operation: DataOperation, read: ReadKey, all: () => [string, string][]): Effect {
  switch (operation.op) {
    case 'get':
      return { result: { value: read(operation.key) ?? null }, writes: [] };
    case 'all':
      return {
        result: {
          value: all()
            .filter(([key]) => key.startsWith(operation.prefix))
            .sort(([one], [other]) => (one < other ? -1 : 1)),
        },
        writes: [],
      };
    case 'set':
      return { result: { value: null }, writes: [[operation.key, operation.value]] };
    case 'append': {
      const before = read(operation.key);
      const value = before === undefined ? operation.value : `${before},${operation.value}`;
      if (value.length > longestList) return { result: { error: 'FULL' }, writes: [] };
      return { result: { value }, writes: [[operation.key, value]] };
    }
    case 'transfer': {
      const { from, to, amount, id } = operation;
      const [payer, payee] = [read(from), read(to)];
      if (payer === undefined || payee === undefined) return { result: { error: 'NO_ACCOUNT' }, writes: [] };
      const balance = balanceOf(payer);
      const value = `${payer} ${payee}`;
      if (balance < amount) return { result: { value }, writes: [] };
      return {
        result: { value },
        writes: [
          [from, `${balance - amount}@${id}`],
          [to, `${balanceOf(payee) + amount}@${id}`],
        ],
      };
    }
  }
}

/** What tells an operation from all others, if anything does. */
export function markerOf(operation: DataOperation): string | undefined {
  if (operation.op === 'transfer') return operation.id;
  return operation.op === 'set' || operation.op === 'append' ? (operation.value ?? undefined) : undefined;
}

export function balanceOf(account: string): number {
  return Number(account.split('@')[0]);
}
