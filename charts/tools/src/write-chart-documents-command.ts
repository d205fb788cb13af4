/** `npm run chart:docs`: writes values.schema.json and the table of README.md from the annotated values, alarms and dashboards from their definitions. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chartDocuments } from './chart-documents.js';

const chart = fileURLToPath(new URL('../../turso-byoc', import.meta.url));
for (const [path, text] of await chartDocuments(chart)) await writeFile(path, text);
