import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { OpeningPlaces } from './opening-places.js';

let runtime: VirtualRuntime;
let places: OpeningPlaces;
let begun: number[];
beforeEach(() => {
  runtime = new VirtualRuntime();
  places = new OpeningPlaces({ runtime, places: 2, longestMs: 100 });
  begun = [];
});

const opening = async (number: number, ms: number): Promise<number> =>
  places.run(async () => {
    begun.push(number);
    await runtime.sleep(ms);
    if (number < 0) throw new Error('it could not be opened');
    return runtime.monotonicMs();
  });

it('opens in the order in which it was asked, so many at once', async () => {
  const ends = await runtime.run(Promise.all([1, 2, 3, 4, 5].map(async (number) => opening(number, 10))));
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  expect(ends).toEqual([10, 10, 20, 20, 30]);
});

it('gives a place back when an opening failed', async () => {
  const ends = await runtime.run(Promise.allSettled([-1, -2, 3, 4].map(async (number) => opening(number, 10))));
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
  expect(await runtime.run(Promise.all([opening(5, 10), opening(6, 10)]))).toEqual([30, 30]);
});

it('does not let openings that wait for something else hold up others', async () => {
  const ends = await runtime.run(
    Promise.all([opening(1, 5_000), opening(2, 5_000), ...[3, 4, 5].map(async (number) => opening(number, 10))]),
  );
  expect(ends).toEqual([5_000, 5_000, 110, 110, 120]);
  // Their places were given away once, and are not given away again.
  expect(await runtime.run(Promise.all([6, 7, 8].map(async (number) => opening(number, 10))))).toEqual([
    5_010, 5_010, 5_020,
  ]);
});
