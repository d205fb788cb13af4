import { costText, type CostReport } from './cost-report.js';

/** docs/cost.md: how prices come about, and those of the examples. `npm run cost -- --page` writes it. */
export function costPage(reports: readonly (readonly [example: string, report: CostReport])[]): string {
  return [
    '# What a deployment costs',
    '',
    'This page is made by `npm run cost -- --page`. The price of another configuration: `npm run cost -- --config <deployment>`, or',
    '`--json` for machines. Nobody is asked: the floor is counted in the synthesized templates, prices stand in one file with a date',
    '(`cdk/cost/prices-2026-11.ts`), requests were counted by `npm run bench -- --only cost` and `--only cold-open`.',
    '',
    'The seven things that cost, in the order in which they usually matter:',
    '',
    '1. **Data nodes**: their number and size. They run whether they are used or not.',
    '2. **Interface endpoints**: one for each AWS service in each zone. They are what a network without a way to the internet costs.',
    '3. **Commits**: a paid request for each log object, in each zone that has the log. Commits within one window share an object, so',
    '   that a busy node pays a tenth for each. A longer window (`dataNodes.commitWindowMs`) is cheaper and slower.',
    '4. **The trail**: where it records accesses to objects, each request to the store is a second, smaller price.',
    '5. **The firewall**, only with an allow-list of hosts (`egress`): by far the dearest single part, in each zone.',
    '6. **Storage** of databases and of their history, which `retention.pointInTimeDays` decides: `0.023` for a GiB and a month.',
    '7. **Logs**: what CloudWatch Logs takes in. It is not in the tables, because it follows the number of errors, not of requests.',
    '',
    'A database that nobody uses costs its storage and nothing else. Not in the tables: data transfer, support, tax, discounts, the free',
    'tier, load balancer capacity beyond the hourly price, AWS Config’s evaluations, the fee of EKS for managing instances.',
    '',
    ...reports.flatMap(([example, report]) => [`## Example \`${example}\``, '', costText(report)]),
  ].join('\n');
}
