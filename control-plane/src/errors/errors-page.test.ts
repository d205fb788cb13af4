import { readFileSync } from 'node:fs';
import { catalogue } from './catalogue.js';
import { errorsPage } from './errors-page.js';

describe('docs/platform-api-errors.md', () => {
  it('is what the catalogue says (else: npm run build && node control-plane/dist/errors/write-errors-page.js)', () => {
    const page = readFileSync(new URL('../../../docs/platform-api-errors.md', import.meta.url), 'utf8');
    expect(page).toBe(errorsPage());
  });

  it('has one section for every code, and no 403', () => {
    const headings = [...errorsPage().matchAll(/^## `(\w+)`$/gm)].map((match) => match[1]);
    expect(headings).toEqual(Object.keys(catalogue));
    expect(Object.values(catalogue).map(({ status }): number => status)).not.toContain(403);
  });
});
