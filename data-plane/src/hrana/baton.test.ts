import { randomBytes } from 'node:crypto';
import { formatBaton, isSameSecret, newSecret, newStreamId, parseBaton } from './baton.js';

describe('batons', () => {
  it('are read as they were written', () => {
    const baton = { streamId: newStreamId(randomBytes), secret: newSecret(randomBytes) };
    const text = formatBaton(baton);
    expect(text).toMatch(/^[\w-]{12}\.[\w-]{22}$/);
    expect(parseBaton(text)).toEqual(baton);
  });

  it.each(['', 'a.b', 'AAAAAAAAAAAA', `AAAAAAAAAAAA.${'B'.repeat(23)}`, ` AAAAAAAAAAAA.${'B'.repeat(22)}`])(
    'are not %j',
    (text) => {
      expect(() => parseBaton(text)).toThrow(expect.objectContaining({ code: 'BATON_INVALID' }) as Error);
    },
  );

  it('compare by their whole secret', () => {
    expect(isSameSecret('abc', 'abc')).toBe(true);
    expect(isSameSecret('abc', 'abd')).toBe(false);
    expect(isSameSecret('abc', 'abcd')).toBe(false);
  });
});
