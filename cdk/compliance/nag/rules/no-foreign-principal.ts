import { Stack, Token } from 'aws-cdk-lib';
import { NagRuleCompliance } from 'cdk-nag';
import type { Statement } from '../../iam/policy-document.js';
import { deployedStatements } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

/** Keys that say in which account, or through which endpoint, somebody is. */
const narrowing = new Set([
  'aws:principalaccount',
  'aws:principalarn',
  'aws:principalorgid',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:resourceaccount',
  'kms:calleraccount',
]);
const stating = /^(ForA(ll|ny)Values:)?(String|Arn)(Equals|Like)(IfExists)?$/;

export const noForeignPrincipal: Rule = {
  name: 'NoForeignPrincipal',
  info: 'A policy lets in a principal of another account, or everybody.',
  explanation:
    'Nobody outside the account has a right to anything of the deployment, except accounts that the configuration trusts by name (trustedAccounts).',
  check: (node, { trustedAccounts }) => {
    const statements = deployedStatements(node);
    if (statements.length === 0) return NagRuleCompliance.NOT_APPLICABLE;
    const { account } = Stack.of(node);
    const own = new Set([...trustedAccounts, ...(Token.isUnresolved(account) ? [] : [account])]);
    const findings = statements
      .filter((statement) => statement.Effect === 'Allow')
      .flatMap((statement) => foreignPrincipals(statement, own));
    return findings.length > 0 ? [...new Set(findings)] : NagRuleCompliance.COMPLIANT;
  },
};

function foreignPrincipals(statement: Statement, own: ReadonlySet<string>): readonly string[] {
  if (statement.NotPrincipal) return ['NotPrincipal'];
  const principal = statement.Principal;
  if (principal === undefined) return []; // a policy of an identity
  if (principal === '*') return isNarrowed(statement, own) ? [] : ['*'];
  return Object.entries(principal).flatMap(([kind, names]) =>
    names.filter((name) => {
      if (kind === 'Service') return false;
      if (name === '*') return !isNarrowed(statement, own);
      const accounts = name.match(/(?<!\d)\d{12}(?!\d)/g) ?? [];
      if (accounts.length > 0) return accounts.some((account) => !own.has(account));
      return !name.includes('${'); // neither an account of its own nor a reference to something of this deployment
    }),
  );
}

/** Whether a condition admits only requests of known accounts or endpoints. A pattern for all of them admits everybody. */
function isNarrowed(statement: Statement, own: ReadonlySet<string>): boolean {
  return Object.entries(statement.Condition ?? {}).some(
    ([operator, keys]) =>
      stating.test(operator) &&
      Object.entries(keys).some(
        ([key, values]) =>
          narrowing.has(key.toLowerCase()) &&
          values.every((value) => {
            const accounts = value.match(/(?<!\d)\d{12}(?!\d)/g) ?? [];
            return accounts.length > 0 ? accounts.every((account) => own.has(account)) : /\$\{|^vpce?-|^o-/.test(value);
          }),
      ),
  );
}
