/** Writes `docs/platform-api-errors.md`: `node control-plane/dist/errors/write-errors-page.js`. */
import { writeFileSync } from 'node:fs';
import { errorsPage } from './errors-page.js';

writeFileSync(new URL('../../../docs/platform-api-errors.md', import.meta.url), errorsPage());
