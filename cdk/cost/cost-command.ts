/**
 * `npm run cost -- --config <deployment> [--json]`: what a deployment costs at list prices. Asks nobody. `--page` writes docs/cost.md
 * instead, with the price of the examples.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withSynthesizedDeployment } from '../compliance/synthesized-deployment.js';
import { costPage } from './cost-page.js';
import { costReport, costText, type CostReport } from './cost-report.js';
import { answerHelp } from '../bin/answer-help.js';

/** Examples whose prices stand in docs/cost.md. */
const examplesOfPage = ['dev', 'production', 'air-gapped'];

answerHelp(`usage: npm run cost -- [--config <deployment>] [--json]
       npm run cost -- --page

What a deployment costs at list prices; nobody is asked. --page makes docs/cost.md, with the price of the examples.`);
const { values } = parseArgs({
  options: {
    config: { type: 'string', default: 'dev' },
    json: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});
if (values.page) {
  const reports: [string, CostReport][] = [];
  for (const example of examplesOfPage) reports.push([example, await withSynthesizedDeployment(example, costReport)]);
  const { format } = await import('prettier');
  const file = fileURLToPath(new URL('../../../docs/cost.md', import.meta.url));
  writeFileSync(file, await format(costPage(reports), { parser: 'markdown', printWidth: 120 }));
  console.log(`wrote ${file}`);
} else {
  const report = await withSynthesizedDeployment(values.config, costReport);
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : `${costText(report)}\n`);
}
