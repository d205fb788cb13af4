import { readFileSync } from 'node:fs';
import { configurationPage } from './configuration-page.js';
import { allRules } from './rules/all-rules.js';
import { schemaFile } from './schema-file.js';

const schema = JSON.parse(readFileSync(schemaFile, 'utf8'));

describe('the page about configuration', () => {
  const page = configurationPage(schema, allRules);

  it('has every setting with its meaning', () => {
    for (const [type, { properties = {} }] of Object.entries<any>(schema.definitions)) {
      for (const setting of Object.keys(properties)) {
        expect(`${type}: ${page.includes(`| \`${setting}\` |`)}`).toBe(`${type}: true`);
      }
    }
    expect(page).toContain('How far back every commit of a database can be restored.');
  });

  it('has every rule', () => {
    for (const { code } of allRules) expect(page).toContain(`| \`${code}\` |`);
  });

  it('escapes what would end a cell', () => {
    const one = { definitions: { T: { properties: { s: { type: 'string', description: 'a | b\nc' } } } } };
    expect(configurationPage(one, [])).toContain('| a \\| b c |');
  });
});
