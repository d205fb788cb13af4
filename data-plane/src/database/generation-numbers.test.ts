import { GenerationNumbers } from './generation-numbers.js';

it('gives rising numbers above the present one, and none twice', () => {
  const numbers = new GenerationNumbers();
  expect([0, 0, 7, 7, 3, 0, 11].map((present) => numbers.next(present))).toEqual([1, 2, 8, 9, 10, 11, 12]);
});
