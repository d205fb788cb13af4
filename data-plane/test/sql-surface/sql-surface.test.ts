import { readFileSync } from 'node:fs';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { enginesPage, isAsDocumented, tryFeature, type Outcome } from './engines-page.js';
import { deliberateExceptions, sqlFeatures } from './sql-features.js';

describe('the SQL that a database takes', () => {
  let node: DataNode;
  const databases = {} as Record<'libsql' | 'tursodb', TestDatabase>;
  const outcomes: Record<'libsql' | 'tursodb', Outcome[]> = { libsql: [], tursodb: [] };

  beforeAll(async () => {
    node = await DataNode.start();
    for (const engine of ['libsql', 'tursodb'] as const) {
      databases[engine] = await node.createDatabase(`surface-${engine}`, engine);
      for (const feature of sqlFeatures) outcomes[engine].push(await tryFeature(node, databases[engine], feature));
    }
  });

  afterAll(async () => node.dispose());

  it.each(sqlFeatures.map((feature, at) => [feature.area, feature.name, feature, at] as const))(
    'libsql, %s: %s',
    (_area, _name, feature, at) => {
      const outcome = outcomes.libsql[at];
      if (feature.absent === undefined) expect(outcome).toEqual({ rows: feature.rows });
      else expect(outcome && isAsDocumented(feature, outcome)).toBe(false);
    },
  );

  it.each(deliberateExceptions)('%s is refused on purpose', async (sql, code) => {
    for (const database of Object.values(databases)) {
      await expect(node.run(database, sql)).rejects.toMatchObject({ code });
    }
  });

  it('docs/engines.md is current', () => {
    const page = readFileSync(new URL('../../../docs/engines.md', import.meta.url), 'utf8');
    // Tables are aligned by the formatter.
    const content = (text: string): string => text.replace(/[ -]+(?=\|)|(?<=\|)[ -]+/gu, ' ');
    expect(content(page)).toBe(content(enginesPage(outcomes)));
  });
});
