import type { RecordedAcknowledgement } from '../nag/recorded-acknowledgements.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** What the rule packs found in an app, and what was acknowledged with which reason. */
export interface NagResults {
  readonly packs: readonly string[];
  /** Open ones. */
  readonly findings: readonly { readonly id: string; readonly path: string; readonly description: string }[];
  readonly acknowledgements: readonly RecordedAcknowledgement[];
}

/** @throws Error when no pack checked anything: that is not a clean report. */
export function nagReport({ packs, findings, acknowledgements }: NagResults): EvidenceSection {
  if (packs.length === 0) throw new Error('the app was checked by no rule pack');
  return evidenceSection({
    id: 'rule-packs',
    title: 'Rule packs: findings and acknowledgements',
    statement: [
      `Checked by ${packs.join(', ')}.`,
      findings.length === 0 ? 'No finding is open.' : `${findings.length} findings are open.`,
      `${acknowledgements.length} findings are acknowledged, each at the construct that it is about and with the reason below.`,
    ],
    columns: ['State', 'Rule', 'Where', 'Reason'],
    rows: [
      ...findings.map(({ id, path, description }) => ['open', id, path, description]),
      ...acknowledgements.map(({ rule, constructPath, reason }) => ['acknowledged', rule, constructPath, reason]),
    ],
  });
}
