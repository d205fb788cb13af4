import type { EvidenceSection } from './evidence-section.js';

export interface EvidencePage {
  readonly title: string;
  /** Label and value, in order. */
  readonly facts: readonly (readonly [string, string])[];
  readonly sections: readonly EvidenceSection[];
}

const style = `
  body { font: 10.5pt/1.45 system-ui, sans-serif; color: #111; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
  h1 { font-size: 1.7em; } h2 { font-size: 1.25em; margin-top: 2.5em; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.5em; } dt { font-weight: 600; } dd { margin: 0; }
  table { border-collapse: collapse; width: 100%; font-size: .8em; }
  th, td { border: 1px solid #bbb; padding: .25em .45em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
  thead { display: table-header-group; } th { background: #eee; }
  tr { break-inside: avoid; }
  @page { size: A4 landscape; margin: 14mm; }
  @media print { body { margin: 0; max-width: none; padding: 0; } h2 { break-before: page; } nav { display: none; } a { color: inherit; } }
`;

/** One page without scripts and without anything that is fetched; it prints with a part on each page and repeated table heads. */
export function asHtml({ title, facts, sections }: EvidencePage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<dl>${facts.map(([label, value]) => `<dt>${escaped(label)}</dt><dd>${escaped(value)}</dd>`).join('\n')}</dl>
<nav><ul>${sections.map(({ id, title: name }) => `<li><a href="#${escaped(id)}">${escaped(name)}</a></li>`).join('\n')}</ul></nav>
${sections.map(sectionHtml).join('\n')}
</body>
</html>
`;
}

function sectionHtml({ id, title, statement, columns, rows }: EvidenceSection): string {
  const head = columns.map((column) => `<th scope="col">${escaped(column)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`).join('\n');
  return `<section id="${escaped(id)}">
<h2>${escaped(title)}</h2>
${statement.map((paragraph) => `<p>${escaped(paragraph)}</p>`).join('\n')}
<table><thead><tr>${head}</tr></thead><tbody>
${body}
</tbody></table>
</section>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
