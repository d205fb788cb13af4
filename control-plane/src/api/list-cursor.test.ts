import { listCursor, parseListCursor } from './list-cursor.js';

describe('the list cursor', () => {
  it('leads back to the name it was made from', () => {
    expect(parseListCursor(listCursor('my-db'))).toBe('my-db');
  });

  it.each(['', 'my-db', 'e30', Buffer.from('"x"').toString('base64url')])('refuses %p', (cursor) => {
    expect(() => parseListCursor(cursor)).toThrow(expect.objectContaining({ code: 'INVALID_CURSOR', status: 400 }));
  });
});
