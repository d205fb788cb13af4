import { GenerationNumbers } from './generation-numbers.js';

describe('generation numbers', () => {
  it('are never given out twice, whatever they follow', () => {
    const numbers = new GenerationNumbers();
    expect([0, 0, 7, 3, 8, 0].map((base) => numbers.next(base))).toEqual([1, 2, 8, 9, 10, 11]);
  });
});
