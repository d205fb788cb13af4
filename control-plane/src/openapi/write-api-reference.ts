/** Writes `docs/api-reference.md`: `npm run api-reference`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { apiReference, type ReferencedDocument } from './api-reference.js';

const document = readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8');
writeFileSync(
  new URL('../../../docs/api-reference.md', import.meta.url),
  apiReference(JSON.parse(document) as ReferencedDocument),
);
