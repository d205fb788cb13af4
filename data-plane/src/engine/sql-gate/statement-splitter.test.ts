import fc from 'fast-check';
import { splitStatements } from './statement-splitter.js';

const trigger = `CREATE TRIGGER g AFTER INSERT ON t WHEN new.a > 1 BEGIN
  UPDATE t SET a = CASE WHEN a THEN 1 ELSE CASE a WHEN 2 THEN 3 END END;
  SELECT ';END;' AS "end;";
  DELETE FROM t; -- END;
END`;

describe('the statement splitter', () => {
  it.each<[string, string[]]>([
    ['', []],
    [' ; ;; -- x\n ; /* y */', []],
    ['SELECT 1', ['SELECT 1']],
    [' SELECT 1 ; SELECT 2;', ['SELECT 1', 'SELECT 2']],
    ['SELECT \';\' ; SELECT ";"; SELECT [;], `;`', ["SELECT ';'", 'SELECT ";"', 'SELECT [;], `;`']],
    ['SELECT 1 /* ; */; -- ;\nSELECT 2', ['SELECT 1', 'SELECT 2']],
    ['BEGIN; INSERT INTO t VALUES (1); END; SELECT 1', ['BEGIN', 'INSERT INTO t VALUES (1)', 'END', 'SELECT 1']],
    [`${trigger}; SELECT 1;`, [trigger, 'SELECT 1']],
    [`explain ${trigger};${trigger}`, [`explain ${trigger}`, trigger]],
    [
      'CREATE TEMP TRIGGER "end" AFTER DELETE ON t BEGIN SELECT 1; END ; SELECT 2',
      ['CREATE TEMP TRIGGER "end" AFTER DELETE ON t BEGIN SELECT 1; END', 'SELECT 2'],
    ],
    ['CREATE TABLE trigger (a); SELECT 1', ['CREATE TABLE trigger (a)', 'SELECT 1']],
    ['CREATE TRIGGER g; SELECT 1', ['CREATE TRIGGER g; SELECT 1']],
    ["SELECT 'a", ["SELECT 'a"]],
  ])('splits %j', (sql, expected) => {
    expect([...splitStatements(sql)]).toEqual(expected);
  });

  it('finds the statements that were joined, whatever stands between them', () => {
    const statement = fc.constantFrom(
      'SELECT 1',
      "INSERT INTO t VALUES (';')",
      trigger,
      'BEGIN',
      'END',
      'SELECT "a;b", [;]',
      'PRAGMA user_version',
      'x',
    );
    const glue = fc.constantFrom(';', ' ; ', ';;\n', '; -- ; END;\n', '/* ; */;', ';\ufeff');
    fc.assert(
      fc.property(fc.array(fc.tuple(statement, glue)), (parts) => {
        expect([...splitStatements(parts.flat().join(''))]).toEqual(parts.map(([text]) => text));
      }),
    );
  });

  it('splits its own results no further', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'a \'b;"`[]-*/\n'.split(''), 'create ', 'trigger ', ';end;', 'begin ')),
        (parts) => {
          for (const statement of splitStatements(parts.join('')))
            expect([...splitStatements(statement)]).toEqual([statement]);
        },
      ),
    );
  });

  it('takes a long text apart in one pass', () => {
    expect([...splitStatements('SELECT 1;'.repeat(200_000))]).toHaveLength(200_000);
    expect([
      ...splitStatements(`CREATE TRIGGER g AFTER INSERT ON t BEGIN ${'SELECT 1;'.repeat(200_000)} END; x`),
    ]).toHaveLength(2);
  });
});
