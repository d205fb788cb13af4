import type { ResolvedConfiguration } from './deployment-configuration.js';

/** Where an alarm's runbook is: a page below the place that the configuration names. */
export function runbookUrl({ alarms }: ResolvedConfiguration, alarm: string): string {
  return `${alarms.runbookBase}/${alarm}.md`;
}
