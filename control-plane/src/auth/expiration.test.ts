import { parseExpiration } from './expiration.js';

describe('parseExpiration', () => {
  it.each([undefined, '', 'never', 'none', 'default'])('takes %p for "never expires"', (text) => {
    expect(parseExpiration(text)).toBeUndefined();
  });

  it.each([
    ['5m', 300],
    ['7d', 604_800],
    ['2w1d30m', 2 * 604_800 + 86_400 + 1_800],
    ['1h30s', 3_630],
  ])('reads %s as %d seconds', (text, seconds) => {
    expect(parseExpiration(text)).toBe(seconds);
  });

  it.each(['7', 'd', '1y', '-1d', '1.5h', '7d ', '0s', '999999999w', 'NEVER'])('refuses %p', (text) => {
    expect(() => parseExpiration(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_EXPIRATION', message: 'Invalid expiration format' }),
    );
  });
});
