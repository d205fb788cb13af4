import type { FragmentLocation } from '../storage/log-location.js';
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
    expect(unfolded.byDatabase()).toEqual([]);
  });

  it('gives a recovery record, without what was forgotten', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [5, 0, 100, 1, 2]);
    unfolded.add(databaseB, 4, [5, 100, 3, 7, 7]);
    unfolded.forget(databaseB);
    expect(unfolded.byDatabase()).toEqual([[databaseA, [{ term: 2, fragments: [[5, 0, 100, 1, 2]] }]]]);
  });

  it('says which positions and packs are needed, and moves what was packed', () => {
    const unfolded = new UnfoldedFragments();
    for (const commit of [1, 2, 3]) unfolded.add(databaseA, 2, [4 + commit, 0, 10, commit, commit]);
    unfolded.add(databaseB, 9, [6, 10, 20, 1, 1]);
    const [first, second] = unfolded.of(databaseA, 2).fragments as [FragmentLocation, FragmentLocation];
    unfolded.relocate(databaseA, 2, new Set([first, second]), [-1, 0, 28, 1, 2]);
    expect(unfolded.of(databaseA, 2)).toMatchObject({
      fragments: [
        [-1, 0, 28, 1, 2],
        [7, 0, 10, 3, 3],
      ],
      bytes: 38,
    });
    expect(unfolded.lowestPosition()).toBe(6);
    expect([...unfolded.packs()]).toEqual([1]);
    unfolded.folded(databaseA, 1);
    expect(unfolded.of(databaseA, 2).fragments).toHaveLength(2);
    unfolded.folded(databaseA, 2);
    expect([...unfolded.packs()]).toEqual([]);
  });

  it('does not bring back by a move what was folded or forgotten, or is of another term', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [5, 0, 10, 1, 1]);
    unfolded.add(databaseA, 2, [6, 0, 10, 2, 2]);
    const from = new Set(unfolded.of(databaseA, 2).fragments);
    unfolded.folded(databaseA, 1);
    unfolded.relocate(databaseA, 2, from, [-1, 0, 28, 1, 2]);
    expect(unfolded.of(databaseA, 2).fragments).toEqual([[-1, 0, 28, 1, 2]]);
    unfolded.folded(databaseA, 2);
    unfolded.relocate(databaseA, 2, from, [-2, 0, 28, 1, 2]);
    expect(unfolded.byDatabase()).toEqual([]);
    unfolded.add(databaseA, 3, [8, 0, 10, 3, 3]);
    unfolded.relocate(databaseA, 2, from, [-2, 0, 28, 1, 2]);
    expect(unfolded.of(databaseA, 3).fragments).toEqual([[8, 0, 10, 3, 3]]);
  });

  it('keeps what somebody reads needed until it is released, however often it is held', () => {
    const unfolded = new UnfoldedFragments();
    unfolded.add(databaseA, 2, [-3, 0, 28, 1, 1]);
    unfolded.add(databaseA, 2, [5, 0, 10, 2, 2]);
    const [one, two] = [unfolded.hold(databaseA, 2), unfolded.hold(databaseA, 2)];
    unfolded.folded(databaseA, 2);
    unfolded.add(databaseA, 2, [9, 0, 10, 3, 3]);
    expect(one.fragments).toHaveLength(2);
    one.release();
    one.release();
    expect([unfolded.lowestPosition(), unfolded.lowestHeldPosition()]).toEqual([9, 5]);
    expect([...unfolded.packs(), ...unfolded.heldPacks()]).toEqual([3]);
    two.release();
    expect(unfolded.lowestHeldPosition()).toBeUndefined();
    expect(unfolded.heldPacks().size).toBe(0);
  });
});
