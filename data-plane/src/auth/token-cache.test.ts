import { entryOverheadBytes, TokenCache } from './token-cache.js';

describe('TokenCache', () => {
  it('drops the token that was not used for longest when there are too many', () => {
    const cache = new TokenCache<number>({ maxTokens: 2, maxBytes: 1e6 });
    cache.set('a', 1);
    cache.set('b', 2);
    expect(cache.get('a')).toBe(1);
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
  });

  it('drops as many as it takes to stay within its bytes', () => {
    const cache = new TokenCache<number>({ maxTokens: 100, maxBytes: 3 * (entryOverheadBytes + 10) });
    for (const name of ['a', 'b', 'c']) cache.set(name.repeat(10), 0);
    expect(cache.tokens).toBe(3);
    cache.set('d'.repeat(20), 0);
    expect(cache.tokens).toBe(2);
    expect(cache.bytes).toBe(2 * entryOverheadBytes + 30);
  });

  it('counts a token once however often it is set, and nothing after it is deleted', () => {
    const cache = new TokenCache<number>({ maxTokens: 10, maxBytes: 1e6 });
    cache.set('a', 1);
    cache.set('a', 2);
    expect(cache.bytes).toBe(entryOverheadBytes + 1);
    cache.delete('a');
    cache.delete('a');
    expect([cache.tokens, cache.bytes]).toEqual([0, 0]);
  });
});
