import { EngineError } from './adapter.js';
import { tursodbError } from './tursodb-errors.js';

describe('errors of the Turso engine', () => {
  it.each<[string, Partial<EngineError>]>([
    [
      'step failed: Runtime error: UNIQUE constraint failed: t.u (19)',
      { code: 'SQLITE_CONSTRAINT', message: 'UNIQUE constraint failed: t.u' },
    ],
    ['step failed: I/O error: entity not found', { code: 'SQLITE_IOERR', poisonsDatabase: true }],
    ['step failed: I/O error (pwritev): no storage space', { code: 'SQLITE_FULL', poisonsDatabase: true }],
    ['step failed: I/O error (pwrite): storage full', { code: 'SQLITE_FULL', poisonsDatabase: true }],
    ['step failed: I/O error (pwrite): permission denied', { code: 'SQLITE_IOERR', poisonsDatabase: true }],
    ['step failed: page 3 is pinned', { code: 'SQLITE_IOERR', poisonsDatabase: true }],
    ['step failed: Decryption failed for page=2', { code: 'SQLITE_CORRUPT', poisonsDatabase: true }],
    ['step failed: Corrupt database: x', { code: 'SQLITE_CORRUPT', poisonsDatabase: true }],
    ['step failed: Internal error: x', { code: 'SQLITE_INTERNAL', poisonsDatabase: true }],
    ['step failed: Database is full: database or disk is full', { code: 'SQLITE_FULL', poisonsDatabase: false }],
    ['step failed: Database schema changed', { code: 'SQLITE_SCHEMA' }],
    ['Error: Resource is read-only', { code: 'SQLITE_READONLY' }],
    ['step failed: Write-write conflict', { code: 'SQLITE_BUSY' }],
    ['statement was interrupted', { code: 'SQLITE_INTERRUPT', message: 'interrupted' }],
    ['prepare failed: Parse error: no such table: x', { code: 'SQLITE_ERROR', message: 'no such table: x' }],
    ['something new', { code: 'SQLITE_ERROR', message: 'something new', poisonsDatabase: false }],
  ])('translates %s', (message, expected) => {
    const error = tursodbError(new Error(message));
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject(expected);
  });

  it('leaves alone what is none', () => {
    expect(tursodbError(7)).toBe(7);
    const own = new EngineError('SQLITE_BUSY', 'x');
    expect(tursodbError(own)).toBe(own);
  });
});
