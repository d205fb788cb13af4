/**
 * Makes the JSON Schema of a deployment's configuration and docs/configuration.md from `config/deployment-configuration.ts` and the
 * rules; with `--check` it only says whether both are current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { createGenerator, type Config } from 'ts-json-schema-generator';
import { configurationPage, type SchemaDocument } from '../config/configuration-page.js';
import { allRules } from '../config/rules/all-rules.js';
import { schemaFile } from '../config/schema-file.js';

const source = fileURLToPath(new URL('../../config/deployment-configuration.ts', import.meta.url));
const page = fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url));
const options: Config = {
  path: source,
  type: 'DeploymentConfiguration',
  discriminatorType: 'open-api',
  jsDoc: 'extended',
  sortProps: false,
  additionalProperties: false,
  skipTypeCheck: true,
};
const schema = createGenerator(options).createSchema(options.type) as SchemaDocument;
const style = { printWidth: 120, singleQuote: true, trailingComma: 'all' } as const;
const files = [
  { path: schemaFile, text: await format(JSON.stringify(schema), { ...style, parser: 'json' }) },
  { path: page, text: await format(configurationPage(schema, allRules), { ...style, parser: 'markdown' }) },
];

const check = process.argv.includes('--check');
for (const { path, text } of files) {
  const current = readIfThere(path) === text;
  if (check && !current) {
    process.exitCode = 1;
    console.error(`${path} is not current; run npm run configuration-reference`);
  }
  if (!check && !current) {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
