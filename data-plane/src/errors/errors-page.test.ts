import { readFileSync } from 'node:fs';
import { catalogue } from './catalogue.js';
import { errorsPage } from './errors-page.js';

describe('docs/errors.md', () => {
  it('is what the catalogue says (else: npm run build && node data-plane/dist/errors/write-errors-page.js)', () => {
    const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
    expect(page).toBe(errorsPage());
  });

  it('has one section for every code', () => {
    const headings = [...errorsPage().matchAll(/^## `(\w+)`$/gm)].map((match) => match[1]);
    expect(headings).toEqual(Object.keys(catalogue));
  });
});
