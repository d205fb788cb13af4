import { thrownBy } from '../../test/support/thrown-by.js';
import { bearerToken } from './bearer-header.js';

describe('bearerToken', () => {
  it.each([
    ['Bearer abc.def-_.x', 'abc.def-_.x'],
    ['bearer abc', 'abc'],
    ['BEARER   abc', 'abc'],
    ['Bearer YWJj==', 'YWJj=='],
  ])('takes the token of %j', (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });

  it.each([undefined, ''])('reports a missing header: %j', (header) => {
    expect(thrownBy(() => bearerToken(header))).toMatchObject({ code: 'AUTH_HTTP_HEADER_MISSING' });
  });

  it.each(['Bearer', 'Bearer ', 'Basic dTpw', 'abc', 'Bearer a b', 'Bearer a,b', 'Bearerabc', 'Bearer \tabc', ' '])(
    'refuses %j',
    (header) => {
      expect(thrownBy(() => bearerToken(header))).toMatchObject({ code: 'AUTH_HTTP_HEADER_INVALID' });
    },
  );
});
