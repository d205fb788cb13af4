import { longestShape } from '../ipc/shaped-costs.js';
import { statementShape } from './statement-shape.js';

const names = new Set(['users', 'email', 'id']);
const shapeOf = (sql: string): string => statementShape(sql, (name) => names.has(name));

it.each<[string, string]>([
  [
    "SELECT * FROM users WHERE email = 'ann@example.com' AND age > 17",
    'SELECT * FROM users WHERE email = ? AND age > ?',
  ],
  [
    "SELECT  a,b\n\tFROM users -- of Ann\n WHERE x=x'00ff' /* Ann */ AND y = 1e5",
    'SELECT a, b FROM users WHERE x=? AND y = ?',
  ],
  ['SELECT 1, 2.5, 0x10, .5', 'SELECT ?, ?, ?, …'],
  ['SELECT * FROM t WHERE a IN (1,2,3,4,5,6) AND b = 7', 'SELECT * FROM t WHERE a IN (?, ?, ?, …) AND b = ?'],
  ['SELECT * FROM t WHERE a IN (?, ?) AND b = :name', 'SELECT * FROM t WHERE a IN (?, ?) AND b = :name'],
  ["INSERT INTO t (a, b) VALUES (1, 'x')", 'INSERT INTO t (a, b) VALUES (?, ?)'],
  ["INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z') RETURNING id", 'INSERT INTO t VALUES (?, ?), … RETURNING id'],
  [
    "INSERT INTO t VALUES (1, 'x'), (2, 'y') ON CONFLICT DO NOTHING",
    'INSERT INTO t VALUES (?, ?), … ON CONFLICT DO NOTHING',
  ],
  // A name, or what SQLite takes for a string when there is no such name.
  ['SELECT "id" FROM "secret" WHERE "email" = "ann"', 'SELECT "id" FROM "secret" WHERE "email" = ?'],
  ['SELECT "t"."ann" FROM `t` WHERE [ann] = "Users"', 'SELECT "t"."ann" FROM `t` WHERE [ann] = "Users"'],
  ['UPDATE users SET admin = TRUE, n = -5 WHERE id = 3', 'UPDATE users SET admin = ?, n = -? WHERE id = ?'],
  [
    "SELECT count(*), max(a, 3) FROM t WHERE data->>'$.ann' LIKE 'x%'",
    'SELECT count(*), max(a, ?) FROM t WHERE data->>? LIKE ?',
  ],
  ["SELECT 'it''s", 'SELECT ?'],
])('%s', (sql, shape) => {
  expect(shapeOf(sql)).toBe(shape);
});

it('is as short for many rows as for two, and for a text of any length', () => {
  const rows = (count: number): string =>
    Array.from({ length: count }, (_, row) => `(${row}, 'value ${row}')`).join(', ');
  expect(shapeOf(`INSERT INTO t VALUES ${rows(300)}`)).toBe('INSERT INTO t VALUES (?, ?), …');
  const long = `SELECT ${Array.from({ length: 100_000 }, (_, column) => `c${column}`).join(', ')} FROM t`;
  expect([shapeOf(long).length, shapeOf(long).at(-1)]).toEqual([longestShape, '…']);
  expect(shapeOf(`SELECT ${' '.repeat(100_000)}'ann'`)).toBe('SELECT…');
  for (let length = 0; length < 60; length++) {
    expect(shapeOf(`SELECT 'ann' + x'616e6e' AS "ann" FROM t WHERE a = 616`.slice(0, length))).not.toMatch(/ann|61/);
  }
});
