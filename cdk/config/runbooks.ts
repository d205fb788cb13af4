import type { ResolvedConfiguration } from './deployment-configuration.js';

/** Where an alarm's runbook is: a section of the page that the configuration names. */
export function runbookUrl({ alarms }: ResolvedConfiguration, alarm: string): string {
  return `${alarms.runbookBase}#${alarm}`;
}
