import fc from 'fast-check';
import { TokenCursor, unquote } from './tokenizer.js';

const tokens = (sql: string): [string, string][] => {
  const cursor = new TokenCursor(sql);
  const found: [string, string][] = [];
  while (cursor.next()) found.push([cursor.kind, cursor.text()]);
  return found;
};

describe('the tokenizer', () => {
  it.each<[string, [string, string][]]>([
    [
      'select 1',
      [
        ['word', 'select'],
        ['number', '1'],
      ],
    ],
    [
      '"a""b" [c d] `e``f` \'it\'\'s\'',
      [
        ['quoted', '"a""b"'],
        ['quoted', '[c d]'],
        ['quoted', '`e``f`'],
        ['string', "'it''s'"],
      ],
    ],
    [
      "x'00ff' X''",
      [
        ['blob', "x'00ff'"],
        ['blob', "X''"],
      ],
    ],
    [
      "x'0' x'0g'",
      [
        ['illegal', "x'0'"],
        ['illegal', "x'0g'"],
      ],
    ],
    [
      '1 1.5 .5 1e3 1.5E-3 0xFf 1_000 1_0.0_1',
      ['1', '1.5', '.5', '1e3', '1.5E-3', '0xFf', '1_000', '1_0.0_1'].map((text) => ['number', text]),
    ],
    [
      '1a 0xg 1e 1__0',
      [
        ['illegal', '1a'],
        ['illegal', '0xg'],
        ['illegal', '1e'],
        ['illegal', '1__0'],
      ],
    ],
    [
      '1.e5 1..2',
      [
        ['number', '1.e5'],
        ['number', '1.'],
        ['number', '.2'],
      ],
    ],
    [
      '? ?12 :a @b $c $d::e(f) :g::h',
      ['?', '?12', ':a', '@b', '$c', '$d::e(f)', ':g::h'].map((text) => ['parameter', text]),
    ],
    [
      ': @ # #1 $a(b c)',
      [
        ['illegal', ':'],
        ['illegal', '@'],
        ['illegal', '#'],
        ['illegal', '#1'],
        ['illegal', '$a(b'],
        ['word', 'c'],
        ['operator', ')'],
      ],
    ],
    [
      'a->b->>c||d<<e>>f<=g>=h<>i==j!=k',
      'a -> b ->> c || d << e >> f <= g >= h <> i == j != k'
        .split(' ')
        .map((text) => [/\w/.test(text) ? 'word' : 'operator', text]),
    ],
    [
      'a -- b\n/* c */ d /* e',
      [
        ['word', 'a'],
        ['word', 'd'],
      ],
    ],
    [
      '1 /*/ 2 */ + 3',
      [
        ['number', '1'],
        ['operator', '+'],
        ['number', '3'],
      ],
    ],
    [
      '1 /*',
      [
        ['number', '1'],
        ['operator', '/'],
        ['operator', '*'],
      ],
    ],
    ['1 -- a\r+ 2', [['number', '1']]],
    ["'a", [['illegal', "'a"]]],
    ['"a', [['illegal', '"a']]],
    ['[a', [['illegal', '[a']]],
    ['\ufeffa\ufeffb', [['word', 'a\ufeffb']]],
    [
      'schön_1$ x\u00a0y',
      [
        ['word', 'schön_1$'],
        ['word', 'x\u00a0y'],
      ],
    ],
    [
      'a!b^c\v',
      [
        ['word', 'a'],
        ['illegal', '!'],
        ['word', 'b'],
        ['illegal', '^'],
        ['word', 'c'],
        ['illegal', '\v'],
      ],
    ],
    // As SQLite has it: a vertical tab is white space behind other white space only.
    [
      'a \vb\n\v\t\vc \v',
      [
        ['word', 'a'],
        ['word', 'b'],
        ['word', 'c'],
      ],
    ],
    [
      'a/**/\vb',
      [
        ['word', 'a'],
        ['illegal', '\v'],
        ['word', 'b'],
      ],
    ],
  ])('reads %s', (sql, expected) => {
    expect(tokens(sql)).toEqual(expected);
  });

  it('gives names without quotes, in lower case', () => {
    expect(['"A""b"', '`A``b`', '[A]', "'A''b'", 'A'].map(unquote)).toEqual(['A"b', 'A`b', 'A', "A'b", 'A']);
    const cursor = new TokenCursor('"ReadFile"');
    cursor.next();
    expect(cursor.name()).toBe('readfile');
  });

  it('gives every character of a text to one token or to the space between tokens', () => {
    const alphabet = fc.constantFrom(
      ...'aZ_$1?:@#.,;()[]"`\'-*/ \n\r\t=<>|!xé\ufeff\u{1f600}'.split(''),
      '--',
      '/*',
      '*/',
      "x'",
    );
    fc.assert(
      fc.property(
        fc.array(alphabet).map((parts) => parts.join('')),
        (sql) => {
          const cursor = new TokenCursor(sql);
          let end = 0;
          while (cursor.next()) {
            expect(cursor.start).toBeGreaterThanOrEqual(end);
            expect(cursor.end).toBeGreaterThan(cursor.start);
            const between = sql.slice(end, cursor.start);
            expect(between.replace(/--[^\n]*(\n|$)|\/\*(?=.)[^]*?(\*\/|$)|[\s\ufeff]/gu, '')).toBe('');
            end = cursor.end;
          }
          expect(cursor.end).toBe(sql.length);
        },
      ),
    );
  });

  it('never throws and always ends', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (sql) => void tokens(sql)));
  });
});
