import { databaseA, databaseB } from '../../test/storage/sample-database.js';
import { UnfoldedFragments } from './unfolded-fragments.js';

describe('unfolded fragments', () => {
  it('keeps what was logged under the present term, and its size', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [5, 0, 100, 1, 2]);
    unfolded.add(databaseA, 2, [6, 0, 10, 3, 3]);
    unfolded.add(databaseB, 9, [6, 10, 20, 1, 1]);
    expect(unfolded.of(databaseA, 2)).toMatchObject({
      fragments: [
        [5, 0, 100, 1, 2],
        [6, 0, 10, 3, 3],
      ],
      bytes: 110,
    });
    expect(unfolded.of(databaseA, 3)).toEqual({ fragments: [], bytes: 0 });
    expect(unfolded.lowestPosition()).toBe(5);
    unfolded.add(databaseA, 3, [8, 0, 7, 4, 4]);
    expect(unfolded.of(databaseA, 2).fragments).toEqual([]);
    expect(unfolded.of(databaseA, 3)).toMatchObject({ fragments: [[8, 0, 7, 4, 4]], bytes: 7 });
    expect(unfolded.lowestPosition()).toBe(6);
  });

  it('forgets what is folded in and nothing else, whoever still reads the old list', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [5, 0, 100, 1, 2]);
    unfolded.add(databaseA, 2, [6, 0, 10, 3, 3]);
    const before = unfolded.of(databaseA, 2).fragments;
    unfolded.folded(databaseA, 2);
    expect(before).toHaveLength(2);
    expect(unfolded.of(databaseA, 2)).toMatchObject({ fragments: [[6, 0, 10, 3, 3]], bytes: 10 });
    unfolded.folded(databaseA, 3);
    unfolded.folded(databaseB, 3);
    expect(unfolded.lowestPosition()).toBeUndefined();
    expect(unfolded.byDatabase()).toEqual({});
  });

  it('gives a recovery record, without what was forgotten', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [5, 0, 100, 1, 2]);
    unfolded.add(databaseB, 4, [5, 100, 3, 7, 7]);
    unfolded.forget(databaseB);
    expect(unfolded.byDatabase()).toEqual({ [databaseA]: [{ term: 2, fragments: [[5, 0, 100, 1, 2]] }] });
  });
});
