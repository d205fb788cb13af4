import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { apiReference, type ReferencedDocument } from './api-reference.js';
import { tags } from './tags.js';

const path = new URL('../../../docs/api-reference.md', import.meta.url).pathname;
const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as ReferencedDocument;

describe('docs/api-reference.md', () => {
  const page = readFileSync(path, 'utf8');

  it('is what the OpenAPI document says (else: npm run openapi, npm run api-reference)', async () => {
    expect(page).toBe(await format(apiReference(document), { ...(await resolveConfig(path)), filepath: path }));
  });

  it('has every method and path once', () => {
    const headings = [...page.matchAll(/^### ([A-Z]+) (\/\S*)$/gm)];
    const shown = headings.flatMap(({ index, 1: method, 2: first }, at) => {
      const text = page.slice(index, headings[at + 1]?.index);
      const others = /^Also: (.*)\.$/m.exec(text)?.[1] ?? '';
      return [first, ...[...others.matchAll(/`([^`]+)`/g)].map(([, other]) => other)].map(
        (each) => `${method} ${each}`,
      );
    });
    const declared = Object.entries(document.paths).flatMap(([each, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${each}`),
    );
    expect(shown.sort()).toEqual(declared.sort());
  });

  it('has every heading that there is to have', () => {
    const used = new Set(
      Object.values(document.paths).flatMap((each) => Object.values(each).flatMap((one) => one.tags)),
    );
    expect([...used].sort()).toEqual([...tags].sort());
  });
});
