/** Attempts to exhaust or crash the engine process. */
import type { HostileCase } from './hostile-case.js';

const refused = (name: string, sql: HostileCase['sql']): HostileCase => ({
  name,
  engine: 'both',
  sql,
  expectation: 'refused',
});
const contained = (
  name: string,
  sql: HostileCase['sql'],
  setup?: string[],
  engine: HostileCase['engine'] = 'both',
): HostileCase => ({ name, engine, sql, expectation: 'contained', ...(setup === undefined ? {} : { setup }) });

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const doubled = (count: number): string =>
  `WITH ${numbers(count)
    .map((n) => `c${n} AS (SELECT ${n === 0 ? '1 AS x' : `a.x FROM c${n - 1} a, c${n - 1} b`})`)
    .join(', ')} SELECT count(*) FROM c${count - 1}`;

export const resourceCases: readonly HostileCase[] = [
  refused('NUL in an alias', 'SELECT 1 AS "a\0b"'),
  refused('NUL in a string', "SELECT 'a\0b'"),
  refused('NUL in a comment', 'SELECT 1 -- \0\n'),
  refused('NUL hides a second statement', "SELECT 1\0; ATTACH '{fresh}' AS x"),
  refused('1,000 nested sub-selects', 'SELECT ('.repeat(1000) + 'SELECT 1' + ')'.repeat(1000)),
  refused('100,000 nested sub-selects', 'SELECT ('.repeat(100_000) + 'SELECT 1' + ')'.repeat(100_000)),
  refused('1,000,000 parentheses', 'SELECT ' + '('.repeat(1_000_000) + '1' + ')'.repeat(1_000_000)),
  refused('1,000,000 parentheses that never close', 'SELECT ' + '('.repeat(1_000_000)),
  refused('4,000 compound arms', 'SELECT 1' + ' UNION ALL SELECT 1'.repeat(4000)),
  refused(
    '20,000 compound arms of all kinds',
    'SELECT 1' + ' UNION SELECT 1 EXCEPT SELECT 2 INTERSECT SELECT 3'.repeat(7000),
  ),
  refused('a parameter number beyond the limit', 'SELECT ?32767'),
  refused('a parameter number beyond 64 bits', 'SELECT ?99999999999999999999'),
  refused('a parameter zero', 'SELECT ?0'),
  refused('40,000 parameters', 'SELECT 1 IN (?' + ',?'.repeat(40_000) + ')'),
  refused('an unfinished string of 10 MB', "SELECT '" + 'x'.repeat(10_000_000)),
  refused('1,000,000 statements', 'SELECT 1;'.repeat(1_000_000)),
  refused('20,000 NOT', 'SELECT ' + 'NOT '.repeat(20_000) + '1'),
  refused('20,000 additions', 'SELECT ' + '1+'.repeat(20_000) + '1'),
  refused('1,100 nested CASE', 'SELECT ' + 'CASE WHEN 1 THEN '.repeat(1100) + '1' + ' END'.repeat(1100)),
  refused('an empty text', ''),
  refused('only a comment', '/* nothing */ -- at all'),
  refused('a comment without end', '/* nothing'),

  contained('a comment of 10 MB', '/*' + ' x'.repeat(5_000_000) + '*/ SELECT 1'),
  contained('10 MB of opening comments', 'SELECT 1 /*' + '/*'.repeat(5_000_000)),
  contained('10 MB of line comments', '--\n'.repeat(3_000_000) + 'SELECT 1'),
  contained('a string of 10 MB', "SELECT length('" + 'x'.repeat(10_000_000) + "')"),
  contained('an identifier of 1 MB', 'SELECT 1 AS ' + 'x'.repeat(1_000_000)),
  contained('an IN list of 200,000', 'SELECT 1 IN (1' + ',1'.repeat(200_000) + ')'),
  contained('400 nested CASE', 'SELECT ' + 'CASE WHEN 1 THEN '.repeat(400) + '1' + ' END'.repeat(400)),
  contained('25 doubled common table expressions', doubled(25)),
  contained(
    '20 doubled views',
    'SELECT count(*) FROM v19',
    numbers(20).map((n) => `CREATE VIEW v${n} AS SELECT ${n === 0 ? '1 AS x' : `a.x FROM v${n - 1} a, v${n - 1} b`}`),
  ),
  contained(
    'an endless recursion',
    'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c',
  ),
  contained('an endless series', 'SELECT count(*) FROM generate_series(1, 9223372036854775807)'),
  contained(
    'a string of 16 GB',
    `SELECT length(${'replace('.repeat(4)}hex(zeroblob(1000000))${", '0', hex(zeroblob(100)))".repeat(4)})`,
  ),
  contained('a blob of 1 GB', 'SELECT length(hex(zeroblob(1000000000)))'),
  contained('printf with a huge width', "SELECT length(printf('%2000000000d', 1))"),
  contained('text that is not UTF-8', "SELECT CAST(x'ff' AS TEXT)"),
  contained('text that is not UTF-8, stored', 'SELECT * FROM t', [
    'CREATE TABLE t (a)',
    "INSERT INTO t VALUES (CAST(x'c328' AS TEXT))",
  ]),
  contained('a blob literal that is not UTF-8', "INSERT INTO t VALUES (x'ff')", ['CREATE TABLE t (a)']),
  contained('a column default that is not UTF-8', 'INSERT INTO t (a) VALUES (1)', [
    "CREATE TABLE t (a, b DEFAULT x'ff00fe')",
  ]),
  contained('LIKE with a bad pattern', `SELECT '${'a'.repeat(5000)}' LIKE '${'%a'.repeat(2000)}b'`),
  contained('a regular expression bomb', `SELECT '${'a'.repeat(64)}!' REGEXP '(a+)+$'`),
  contained('JSON of depth 100,000', `SELECT json('${'['.repeat(100_000)}${']'.repeat(100_000)}')`),
  contained('malformed JSONB', "SELECT json_extract(x'ffffffffff', '$[0]')"),
  contained('malformed vectors', "SELECT vector_distance_cos(x'ff', x'fe')"),
  contained('a trigger that fires itself', 'INSERT INTO t VALUES (1)', [
    'CREATE TABLE t (a)',
    'CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.a + 1); END',
  ]),
  contained('a view of itself', 'SELECT * FROM v', ['CREATE VIEW v AS SELECT * FROM v']),
  contained('auto_vacuum is read', 'PRAGMA auto_vacuum'),
  contained(
    'a shadow table of FTS5 is damaged',
    ["UPDATE f_data SET block = x'ffffffffffffffff'", "SELECT * FROM f('hello')"],
    ['CREATE VIRTUAL TABLE f USING fts5(a)', "INSERT INTO f VALUES ('hello')"],
    'libsql',
  ),
  contained(
    'row values of 20,000 columns are compared',
    `SELECT (1${',1'.repeat(20_000)}) = (1${',1'.repeat(20_000)})`,
  ),
];
