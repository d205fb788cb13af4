/**
 * `node write-kubernetes-schemas-command.js DIRECTORY SWAGGER [CRD…]`: writes the schemas of the Kubernetes API and of custom
 * resources, whose definitions are YAML files.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { JsonSchema } from './chart-values.js';
import { apiSchemas, customSchemas, type CustomResourceDefinition, type Swagger } from './kubernetes-schemas.js';

const [directory, swagger, ...customResources] = process.argv.slice(2);
if (directory === undefined || swagger === undefined) throw new Error('usage: DIRECTORY SWAGGER [CRD…]');
await mkdir(directory, { recursive: true });

async function write(schemas: ReadonlyMap<string, JsonSchema>): Promise<void> {
  for (const [name, schema] of schemas) await writeFile(join(directory ?? '', name), JSON.stringify(schema));
}

await write(apiSchemas(JSON.parse(await readFile(swagger, 'utf8')) as Swagger));
for (const file of customResources) {
  for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
    const definition = document.toJSON() as CustomResourceDefinition | null;
    if (definition?.kind === 'CustomResourceDefinition') await write(customSchemas(definition));
  }
}
