import { StoredSql } from './stored-sql.js';

describe('StoredSql', () => {
  it('gives back what was stored, until it is closed', () => {
    const stored = new StoredSql();
    expect(stored.resolve({ sql: 'SELECT 0' })).toBe('SELECT 0');
    stored.store(1, 'SELECT 1');
    stored.store(1, 'SELECT 2');
    expect(stored.isEmpty).toBe(false);
    expect(stored.resolve({ sqlId: 1 })).toBe('SELECT 2');
    stored.close(1);
    stored.close(1);
    expect(stored.isEmpty).toBe(true);
    expect(() => stored.resolve({ sqlId: 1 })).toThrow('no SQL text 1');
  });

  it('takes a limited number of texts of limited size', () => {
    const stored = new StoredSql();
    for (let id = 0; id < 64; id++) stored.store(id, 'SELECT 1');
    expect(() => stored.store(64, 'SELECT 1')).toThrow(
      expect.objectContaining({ code: 'SQL_STORE_TOO_MANY' }) as Error,
    );
    stored.store(63, 'ä'.repeat(8 * 1024));
    expect(() => stored.store(63, 'ä'.repeat(8 * 1024 + 1))).toThrow(
      expect.objectContaining({ code: 'SQL_STORE_TOO_LARGE' }) as Error,
    );
  });
});
