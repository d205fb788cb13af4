import type { Conditions, Principals, Statement } from '../iam/policy-document.js';
import type { PolicyInventory } from '../iam/policy-inventory.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** Who may do what to what, and when: every statement of every policy of the deployment. */
export function iamInventory({ principals, resourcePolicies }: PolicyInventory): EvidenceSection {
  const roles = principals.filter(({ kind }) => kind === 'role');
  const unbounded = principals.filter(({ boundary }) => boundary === undefined);
  const managed = principals.filter(({ foreignPolicyArns }) => foreignPolicyArns.length > 0);
  const accounts = new Set(principals.map(({ account }) => account));
  const foreign = foreignAccountsIn([
    ...principals.flatMap(({ trust }) => trust?.Statement ?? []),
    ...resourcePolicies.flatMap(({ document }) => document.Statement),
  ]).filter((account) => !accounts.has(account));
  return evidenceSection({
    id: 'iam-inventory',
    title: 'IAM inventory',
    statement: [
      `${roles.length} roles and ${principals.length - roles.length} users. ` +
        (unbounded.length === 0
          ? 'Each has a permissions boundary.'
          : `Without a permissions boundary: ${unbounded.map(({ name }) => name).join(', ')}.`),
      managed.length === 0
        ? 'No policy that AWS or somebody else manages is attached to any of them: everything they may do is below.'
        : `Policies from outside the deployment are attached to ${managed.map(({ name, foreignPolicyArns }) => `${name} (${foreignPolicyArns.join(', ')})`).join('; ')}.`,
      foreign.length === 0
        ? 'No policy admits a principal of another account.'
        : `Policies name principals of these other accounts: ${foreign.join(', ')}.`,
    ],
    columns: ['Holder', 'Policy', 'Effect', 'Principal', 'Actions', 'Resources', 'Conditions'],
    rows: [
      ...principals.flatMap((principal) => [
        ...(principal.trust?.Statement ?? []).map((statement) => row(principal.name, 'trust', statement)),
        ...principal.identityPolicies.flatMap(({ name, document }) =>
          document.Statement.map((statement) => row(principal.name, name, statement)),
        ),
      ]),
      ...boundaries(principals),
      ...resourcePolicies.flatMap(({ resourceArn, document }) =>
        document.Statement.map((statement) => row(resourceArn, 'resource policy', statement)),
      ),
    ],
  });
}

function boundaries(principals: PolicyInventory['principals']): readonly (readonly string[])[] {
  const byArn = new Map(
    principals.flatMap(({ boundary }) => (boundary ? [[boundary.arn, boundary.document] as const] : [])),
  );
  return [...byArn].flatMap(([arn, document]) =>
    document
      ? document.Statement.map((statement) => row(arn, 'permissions boundary', statement))
      : [[arn, 'permissions boundary', '', '', 'defined outside the deployment', '', '']],
  );
}

function row(holder: string, policy: string, statement: Statement): readonly string[] {
  return [
    holder,
    statement.Sid === undefined ? policy : `${policy}: ${statement.Sid}`,
    statement.Effect,
    statement.NotPrincipal ? `not ${principalText(statement.NotPrincipal)}` : principalText(statement.Principal),
    statement.NotAction ? `not ${statement.NotAction.join(', ')}` : (statement.Action ?? []).join(', '),
    statement.NotResource ? `not ${statement.NotResource.join(', ')}` : (statement.Resource ?? []).join(', '),
    conditionText(statement.Condition),
  ];
}

function principalText(principals: Principals | undefined): string {
  if (principals === undefined) return '';
  if (principals === '*') return '*';
  return Object.values(principals).flat().join(', ');
}

function conditionText(conditions: Conditions | undefined): string {
  return Object.entries(conditions ?? {})
    .flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, values]) => `${operator} ${key} = ${values.join(' | ')}`),
    )
    .join('; ');
}

function foreignAccountsIn(statements: readonly Statement[]): readonly string[] {
  const names = statements
    .filter(({ Effect }) => Effect === 'Allow')
    .flatMap(({ Principal }) => (typeof Principal === 'object' ? Object.values(Principal).flat() : []));
  return [...new Set(names.flatMap((name) => name.match(/(?<!\d)\d{12}(?!\d)/g) ?? []))];
}
