import { when, type Rule } from '../rule.js';

/** Days that the audit trail must be kept for, by what a conformance pack's name says. PCI DSS 4 10.5.1; HIPAA 164.316(b)(2)(i). */
const neededDays: readonly (readonly [pattern: RegExp, standard: string, days: number])[] = [
  [/pci/i, 'PCI DSS 4', 365],
  [/hipaa/i, 'HIPAA', 2192],
];

export const retentionRules: readonly Rule[] = [
  {
    code: 'AUDIT_RETENTION_TOO_SHORT',
    demands: 'The audit trail is kept as long as the chosen conformance packs demand: PCI DSS 365 days, HIPAA 2192.',
    broken: ({ retention, compliance }) =>
      neededDays.flatMap(([pattern, standard, days]) =>
        when(
          retention.auditDays < days && compliance.conformancePacks.some(({ name }) => pattern.test(name)),
          'retention.auditDays',
          `${retention.auditDays} days are fewer than the ${days} that ${standard} demands; set retention.auditDays to at least ${days}`,
        ),
      ),
  },
  {
    code: 'AUDIT_LOCK_WITHOUT_PROTECTION',
    demands: 'An audit bucket that nobody can empty belongs to a deployment with removal protection.',
    broken: ({ retention, removalProtection }) =>
      when(
        retention.auditLock === 'compliance' && !removalProtection,
        'retention.auditLock',
        'a compliance lock outlives every removal; choose governance, or set removalProtection to true',
      ),
  },
  {
    code: 'PACKS_WITHOUT_RECORDER',
    demands: 'Conformance packs need AWS Config’s recorder.',
    broken: ({ compliance }) =>
      when(
        compliance.configRecorder === 'off' && compliance.conformancePacks.length > 0,
        'compliance.configRecorder',
        'conformance packs check what a recorder has seen; set configRecorder to create, or to present where the account has one',
      ),
  },
  {
    code: 'PACK_REPEATED',
    demands: 'No conformance pack stands twice.',
    broken: ({ compliance: { conformancePacks } }) =>
      conformancePacks.flatMap(({ name }, index) =>
        when(
          conformancePacks.findIndex((other) => other.name === name) < index,
          `compliance.conformancePacks[${index}].name`,
          `${name} stands twice; give every pack a name of its own`,
        ),
      ),
  },
];
