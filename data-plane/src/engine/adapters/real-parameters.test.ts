import { wholeRealParameters, withRealParameters } from './real-parameters.js';

describe('REAL parameters without a fraction', () => {
  it('are found by their number', () => {
    expect(wholeRealParameters([1, 1n, 1.5, '1', null, -3, 1e300, 2 ** 63, NaN, Infinity, 0])).toEqual([1, 6, 8, 11]);
  });

  it.each<[string, number[], string]>([
    ['SELECT ?', [1], 'SELECT  (+CAST(? AS REAL)) '],
    ['SELECT ?, ?', [2], 'SELECT ?,  (+CAST(? AS REAL)) '],
    ['SELECT :a,?1,:a', [1], 'SELECT  (+CAST(:a AS REAL)) , (+CAST(?1 AS REAL)) , (+CAST(:a AS REAL)) '],
    ['SELECT \'?\', "?" -- ?\n, ?', [1], 'SELECT \'?\', "?" -- ?\n,  (+CAST(? AS REAL)) '],
    ['SELECT 1', [1], 'SELECT 1'],
  ])('are written into %j', (sql, numbers, expected) => {
    expect(withRealParameters(sql, numbers)).toBe(expected);
  });
});
