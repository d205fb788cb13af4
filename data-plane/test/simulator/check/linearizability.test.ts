/** The checker itself: known good and bad histories. */
import { checkLinearizable, type HistoryEntry } from './linearizability.js';
import { independentParts, transactionModel, type Transaction, type TransactionEntry } from './transactions.js';

const read = (key: string, value: string | null): Transaction => ({
  operations: [{ op: 'get', key }],
  results: [{ value }],
  isCommitted: true,
});
const write = (key: string, value: string): Transaction => ({
  operations: [{ op: 'set', key, value }],
  results: [{ value: null }],
  isCommitted: true,
});
const append = (key: string, value: string, list?: string): Transaction => ({
  operations: [{ op: 'append', key, value }],
  results: [list === undefined ? undefined : { value: list }],
  isCommitted: true,
});
const transfer = (from: string, to: string, amount: number, id: string, seen?: string): Transaction => ({
  operations: [{ op: 'transfer', from, to, amount, id }],
  results: [seen === undefined ? undefined : { value: seen }],
  isCommitted: true,
});
const at = (called: number, returned: number | undefined, operation: Transaction): HistoryEntry<Transaction> => ({
  operation,
  called,
  returned,
});
const verdict = (history: readonly TransactionEntry[], initial?: Map<string, string>): string =>
  checkLinearizable(transactionModel(initial), history).kind;

describe('the linearizability checker', () => {
  it.each<[string, TransactionEntry[]]>([
    ['nothing', []],
    ['one after the other', [at(1, 2, write('x', 'a')), at(3, 4, read('x', 'a'))]],
    ['a read beside a write, before it', [at(1, 4, write('x', 'a')), at(2, 3, read('x', null))]],
    ['a read beside a write, after it', [at(1, 4, write('x', 'a')), at(2, 3, read('x', 'a'))]],
    [
      'two writes whose order reads decide',
      [at(1, 4, write('x', 'a')), at(2, 5, write('x', 'b')), at(6, 7, read('x', 'a')), at(8, 9, read('x', 'a'))],
    ],
    ['an unknown write that was seen', [at(1, undefined, write('x', 'a')), at(5, 6, read('x', 'a'))]],
    ['an unknown write that was not seen', [at(1, undefined, write('x', 'a')), at(5, 6, read('x', null))]],
    [
      'an unknown write that came late',
      [at(1, undefined, write('x', 'a')), at(2, 3, read('x', null)), at(4, 5, read('x', 'a'))],
    ],
    [
      'appends in the order that the lists show',
      [at(1, 5, append('l', 'a', 'b,a')), at(2, 6, append('l', 'b', 'b')), at(7, 8, read('l', 'b,a'))],
    ],
    [
      'a transaction that was rolled back',
      [at(1, 2, write('x', 'a')), at(3, 4, { ...write('x', 'b'), isCommitted: false }), at(5, 6, read('x', 'a'))],
    ],
  ])('accepts %s', (_, history) => {
    expect(verdict(history)).toBe('linearizable');
  });

  it.each<[string, TransactionEntry[]]>([
    ['a stale read', [at(1, 2, write('x', 'a')), at(3, 4, read('x', null))]],
    ['a read of what was never written', [at(1, 2, read('x', 'a'))]],
    ['a read from the future', [at(1, 2, read('x', 'a')), at(3, 4, write('x', 'a'))]],
    ['a lost write', [at(1, 2, write('x', 'a')), at(3, 4, write('x', 'b')), at(5, 6, read('x', 'a'))]],
    ['reads that go back', [at(1, 10, write('x', 'a')), at(2, 3, read('x', 'a')), at(4, 5, read('x', null))]],
    [
      'an unknown write that was seen and is gone',
      [at(1, undefined, write('x', 'a')), at(2, 3, read('x', 'a')), at(4, 5, read('x', null))],
    ],
    [
      'two appends to the same list',
      [at(1, 4, append('l', 'a', 'a')), at(2, 5, append('l', 'b', 'b')), at(6, 7, read('l', 'a,b'))],
    ],
    ['a list in the wrong order', [at(1, 2, append('l', 'a')), at(3, 4, append('l', 'b')), at(5, 6, read('l', 'b,a'))]],
    [
      'a transaction seen in part',
      [
        at(1, 2, {
          operations: [
            { op: 'set', key: 'x', value: '1' },
            { op: 'set', key: 'y', value: '1' },
          ],
          results: [{ value: null }, { value: null }],
          isCommitted: true,
        }),
        at(3, 4, {
          operations: [
            { op: 'get', key: 'x' },
            { op: 'get', key: 'y' },
          ],
          results: [{ value: '1' }, { value: null }],
          isCommitted: true,
        }),
      ],
    ],
    [
      'a rolled back write that is there',
      [at(1, 2, { ...write('x', 'b'), isCommitted: false }), at(3, 4, read('x', 'b'))],
    ],
  ])('refuses %s', (_, history) => {
    expect(verdict(history)).toBe('violated');
  });

  const accounts = new Map([
    ['a', '10@0'],
    ['b', '10@0'],
  ]);

  it('accepts transfers whose balances fit', () => {
    const history = [
      at(1, 4, transfer('a', 'b', 3, 't1', '10@0 10@0')),
      at(2, 6, transfer('b', 'a', 4, 't2', '13@t1 7@t1')),
      at(7, 8, read('a', '11@t2')),
      at(9, undefined, transfer('a', 'b', 11, 't3')),
      at(10, 11, read('b', '20@t3')),
    ];
    expect(verdict(history, accounts)).toBe('linearizable');
  });

  it('refuses money that is spent twice', () => {
    const history = [
      at(1, 4, transfer('a', 'b', 10, 't1', '10@0 10@0')),
      at(2, 6, transfer('a', 'b', 10, 't2', '10@0 10@0')),
    ];
    expect(verdict(history, accounts)).toBe('violated');
  });

  it('names the operation that does not fit', () => {
    const bad = at(7, 8, read('x', 'a'));
    const history = [at(1, 2, write('x', 'a')), at(3, 4, write('x', 'b')), at(5, 6, read('x', 'b')), bad];
    expect(checkLinearizable(transactionModel(), history)).toEqual({ kind: 'violated', stuck: bad, performed: 3 });
  });

  it('says when it gave up', () => {
    const history = Array.from({ length: 12 }, (_, index) => at(index + 1, undefined, write('x', String(index))));
    history.push(at(100, 101, read('x', 'none of these')));
    expect(checkLinearizable(transactionModel(), history, { maxSteps: 500 }).kind).toBe('undecided');
  });

  it('agrees with a search of all orders on random small histories', () => {
    let state = 7;
    const below = (bound: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    const verdicts = new Set<string>();
    for (let round = 0; round < 400; round++) {
      const marks = Array.from({ length: 10 }, (_, index) => index);
      for (let index = marks.length - 1; index > 0; index--) {
        const other = below(index + 1);
        [marks[index], marks[other]] = [marks[other] ?? 0, marks[index] ?? 0];
      }
      const history = Array.from({ length: 5 }, (_, index) => {
        const [one, other] = [marks[2 * index] ?? 0, marks[2 * index + 1] ?? 0];
        const operation =
          below(2) === 0 ? write('x', String(below(2))) : read('x', below(3) === 0 ? null : String(below(2)));
        return at(Math.min(one, other), below(5) === 0 ? undefined : Math.max(one, other), operation);
      });
      const expected = explainable(history, new Map());
      verdicts.add(String(expected));
      expect([history, verdict(history)]).toEqual([history, expected ? 'linearizable' : 'violated']);
    }
    expect(verdicts.size).toBe(2);
  });
});

/** Tries every order. */
function explainable(left: readonly TransactionEntry[], state: ReadonlyMap<string, string>): boolean {
  if (left.every(({ returned }) => returned === undefined)) return true;
  const firstReturn = Math.min(...left.map(({ returned }) => returned ?? Infinity));
  return left.some((entry) => {
    if (entry.called > firstReturn) return false;
    const after = transactionModel().step(state, entry.operation);
    return (
      after !== undefined &&
      explainable(
        left.filter((other) => other !== entry),
        after,
      )
    );
  });
}

describe('splitting a history', () => {
  it('keeps what shares keys together', () => {
    const history = [
      at(1, 2, write('x', 'a')),
      at(3, 4, write('y', 'a')),
      at(5, 6, transfer('a1', 'a2', 1, 't')),
      at(7, 8, read('x', 'a')),
      at(9, 10, { operations: [{ op: 'all', prefix: 'a' }], results: [undefined], isCommitted: true }),
    ];
    expect(independentParts(history).map((part) => part.map(({ called }) => called))).toEqual([[1, 7], [3], [5, 9]]);
  });
});
