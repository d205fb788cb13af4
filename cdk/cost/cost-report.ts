import type { SynthesizedApp } from '../compliance/assembly/synthesized-app.js';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { placements } from '../config/placements.js';
import { instanceFloor } from './instance-floor.js';
import { beatsPerSecond } from './measured-requests.js';
import { floorTotal, monthlyFloor, type FloorLine } from './monthly-floor.js';
import { prices } from './prices-2026-11.js';
import { usageCost, type UsageLine } from './usage-cost.js';

export interface CostReport {
  readonly deployment: string;
  readonly pricesAsOf: string;
  readonly pricesOf: string;
  readonly floor: readonly FloorLine[];
  /** US dollars a month. */
  readonly floorTotal: number;
  readonly usage: readonly UsageLine[];
}

export function costReport(configuration: ResolvedConfiguration, app: SynthesizedApp): CostReport {
  const floor = [...instanceFloor(configuration), ...monthlyFloor(app), beats(configuration)].sort(
    (a, b) => b.quantity * b.each - a.quantity * a.each,
  );
  return {
    deployment: configuration.name,
    pricesAsOf: prices.asOf,
    pricesOf: prices.region,
    floor,
    floorTotal: floorTotal(floor),
    usage: usageCost(configuration),
  };
}

/** A data node renews its record in the data bucket for as long as it runs. */
function beats(configuration: ResolvedConfiguration): FloorLine {
  const event = configuration.compliance.trail === 'create' ? prices.trailDataEvent : 0;
  return {
    what: 'renewals of a data node’s record',
    quantity: placements(configuration).reduce((sum, { minimum }) => sum + minimum, 0),
    each: beatsPerSecond * 3600 * prices.hoursPerMonth * (prices.standard.write + event),
  };
}

/** As Markdown, which is also what a terminal shows well. */
export function costText({ deployment, pricesAsOf, pricesOf, floor, floorTotal: total, usage }: CostReport): string {
  const rows = floor.map(
    ({ what, quantity, each }) => `| ${what} | ${quantity} | ${dollars(each)} | ${dollars(quantity * each)} |`,
  );
  const uses = usage.map(({ what, perMillion, because }) => `| ${what} | ${dollars(perMillion)} | ${because} |`);
  return [
    `Deployment \`${deployment}\`, list prices of ${pricesOf} as of ${pricesAsOf}, US dollars.`,
    '',
    `A month without any use: **${dollars(total)}**`,
    '',
    '| what | number | each | a month |',
    '| --- | --: | --: | --: |',
    ...rows,
    '',
    'A million of each, beyond that:',
    '',
    '| what | price | because |',
    '| --- | --: | --- |',
    ...uses,
    '',
  ].join('\n');
}

function dollars(amount: number): string {
  return amount === 0 ? '0' : amount < 0.01 ? amount.toPrecision(2) : amount.toFixed(2);
}
