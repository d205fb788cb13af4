/** `npm run engines-page`: writes `docs/engines.md`. */
import { writeFileSync } from 'node:fs';
import { DataNode } from '../support/data-node.js';
import { enginesPage, tryFeature, type Outcome } from './engines-page.js';
import { sqlFeatures } from './sql-features.js';

const node = await DataNode.start();
try {
  const outcomes: Record<'libsql' | 'tursodb', Outcome[]> = { libsql: [], tursodb: [] };
  for (const engine of ['libsql', 'tursodb'] as const) {
    const database = await node.createDatabase(`surface-${engine}`, engine);
    for (const feature of sqlFeatures) outcomes[engine].push(await tryFeature(node, database, feature));
  }
  writeFileSync(new URL('../../../../docs/engines.md', import.meta.url), enginesPage(outcomes));
  process.stdout.write('docs/engines.md is written; format it with prettier\n');
} finally {
  await node.dispose();
}
