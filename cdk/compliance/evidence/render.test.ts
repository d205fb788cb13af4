import { asCsv } from './csv.js';
import { evidenceSection } from './evidence-section.js';
import { asHtml } from './html.js';
import { nagReport } from './nag-report.js';

describe('evidence as CSV', () => {
  it('quotes what has to be, and ends lines as the format says', () => {
    expect(
      asCsv({
        columns: ['a', 'b'],
        rows: [
          ['x, y', 'say "no"'],
          ['line\nbreak', ''],
        ],
      }),
    ).toBe('a,b\r\n"x, y","say ""no"""\r\n"line\nbreak",\r\n');
  });
  it.each(['=1+1', '+1', '-1', '@sum', '\tx', '\rx'])('never begins a cell with a formula: %j', (cell) => {
    expect(
      asCsv({ columns: ['a'], rows: [[cell]] })
        .split('\r\n')
        .slice(1)
        .join('\r\n'),
    ).toMatch(/^"?'/);
  });
});

describe('evidence as HTML', () => {
  const page = asHtml({
    title: 'Evidence <script>',
    facts: [['a & b', '"quoted"']],
    sections: [
      { id: 'one', title: 'One', statement: ['<b>said</b>'], columns: ['c'], rows: [["<img src=x onerror='1'>"]] },
    ],
  });
  it('lets nothing out of its place', () => {
    expect(page).not.toMatch(/<script|<img|<b>/);
    expect(page).toContain('&lt;img src=x onerror=&#39;1&#39;&gt;');
  });
  it('fetches nothing and prints with repeated heads', () => {
    expect(page).not.toMatch(/https?:|<link|url\(/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('@media print');
    expect(page).toContain('table-header-group');
  });
});

describe('a part of the evidence', () => {
  it('has as many cells as columns', () => {
    expect(() => evidenceSection({ id: 'x', title: 'X', statement: [], columns: ['a', 'b'], rows: [['1']] })).toThrow(
      '1 cells for 2 columns',
    );
  });
});

describe('the report of the rule packs', () => {
  it('is none when nothing was checked', () => {
    expect(() => nagReport({ packs: [], findings: [], acknowledgements: [] })).toThrow('by no rule pack');
  });
  it('lists open and acknowledged findings', () => {
    const { statement, rows } = nagReport({
      packs: ['TursoByoc'],
      findings: [{ id: 'TursoByoc-X', path: 'a/b', description: 'bad' }],
      acknowledgements: [{ rule: 'TursoByoc-Y', constructPath: 'a/c', reason: 'because' }],
    });
    expect(statement[1]).toBe('1 findings are open.');
    expect(rows).toEqual([
      ['open', 'TursoByoc-X', 'a/b', 'bad'],
      ['acknowledged', 'TursoByoc-Y', 'a/c', 'because'],
    ]);
  });
});
