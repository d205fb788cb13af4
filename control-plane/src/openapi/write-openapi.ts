/** Writes `control-plane/openapi.json`: `npm run openapi`. */
import { writeFileSync } from 'node:fs';
import { pino } from 'pino';
import type { ApiContext } from '../api/api-context.js';
import { buildPlatformApi } from '../api/platform-api.js';
import { release } from '../release.js';

// Routes are declared, and none of them runs: what they would work with is not needed.
const context = { release, primaryRegion: 'local' } as ApiContext;
const { app, document } = buildPlatformApi(context, pino({ level: 'silent' }));
await app.ready();
writeFileSync(new URL('../../openapi.json', import.meta.url), `${JSON.stringify(document(), null, 2)}\n`);
