import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { isObject, scalarText } from '../assembly/template.js';
import { coversAction, matchesPattern, type Statement } from '../iam/policy-document.js';
import type { PolicyInventory } from '../iam/policy-inventory.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** Each KMS key: what it encrypts, who can administer it, who can use it. */
export function keyMap(
  app: SynthesizedApp,
  functions: IntrinsicFunctions,
  inventory: PolicyInventory,
): EvidenceSection {
  const keys = resourcesOf(app, 'AWS::KMS::Key');
  const aliases = resourcesOf(app, 'AWS::KMS::Alias').map(({ stack, resource }) => ({
    name: functions.text(stack, resource.Properties?.['AliasName']),
    target: functions.text(stack, resource.Properties?.['TargetKeyId']),
  }));
  const rows = keys.map((key) => {
    const { arn, ref } = functions.namesOf(key);
    const properties = functions.resolve(key.stack, key.resource.Properties ?? {}) as Readonly<Record<string, unknown>>;
    return {
      arn,
      description: scalarText(properties['Description']),
      alias: aliases.filter(({ target }) => target === arn || target === ref).map(({ name }) => name),
      spec: scalarText(properties['KeySpec'], 'SYMMETRIC_DEFAULT'),
      rotates:
        properties['EnableKeyRotation'] === true
          ? `every ${scalarText(properties['RotationPeriodInDays'], '365')} days`
          : 'no',
      window: `${scalarText(properties['PendingWindowInDays'], '30')} days`,
      encrypts: encryptedBy(app, functions, arn, ref),
      decrypting: principalsThatMay(inventory, arn, 'kms:Decrypt'),
      administering: principalsThatMay(inventory, arn, 'kms:PutKeyPolicy'),
    };
  });
  const both = rows.filter(({ decrypting, administering }) =>
    decrypting.some((name) => name !== wholeAccount && administering.includes(name)),
  );
  const leftToAccount = rows.filter(({ decrypting }) => decrypting.includes(wholeAccount));
  return evidenceSection({
    id: 'key-map',
    title: 'Key map',
    statement: [
      `${rows.length} KMS keys. ` +
        (rows.every(({ rotates, spec }) => rotates !== 'no' || spec !== 'SYMMETRIC_DEFAULT')
          ? 'Each symmetric one rotates.'
          : `Not rotating: ${rows
              .filter(({ rotates, spec }) => rotates === 'no' && spec === 'SYMMETRIC_DEFAULT')
              .map(({ description, arn }) => description || arn)
              .join(', ')}.`),
      both.length === 0
        ? 'No principal of the deployment can both administer a key and use it.'
        : `Keys that one principal can both administer and use: ${both.map(({ description, arn }) => description || arn).join(', ')}.`,
      leftToAccount.length === 0
        ? 'Each key policy names who may use the key; IAM policies of the account alone give nobody the use of one.'
        : `The use of these is left to IAM policies of the account, within the conditions of the key policy (a service, a secret): ${leftToAccount.map(({ description, arn }) => description || arn).join(', ')}.`,
      'Every database has a data key of its own, which is stored only wrapped by one of these keys, bound to deployment, organization, group and database by the encryption context. Uses are in CloudTrail and, with the same request id, in the logs of the data nodes.',
      'The last two columns are whom the policy of the key names for an action; the other conditions are in the IAM inventory.',
    ],
    columns: [
      'Key',
      'Purpose',
      'Aliases',
      'Kind',
      'Rotates',
      'Recoverable after deletion',
      'Encrypts',
      'May decrypt',
      'May administer',
    ],
    rows: rows.map((row) => [
      row.arn,
      row.description,
      row.alias.join(', '),
      row.spec,
      row.rotates,
      row.window,
      row.encrypts.join(', '),
      row.decrypting.join(', '),
      row.administering.join(', '),
    ]),
  });
}

/** Resources that name the key anywhere in their properties, other than policies and the key's own aliases. */
function encryptedBy(app: SynthesizedApp, functions: IntrinsicFunctions, arn: string, id: string): readonly string[] {
  return resourcesOf(app)
    .filter(({ resource }) => !/^AWS::(Events|IAM|KMS)::|Policy$|TaskDefinition$/.test(resource.Type))
    .filter(({ stack, resource }) => mentions(functions.resolve(stack, resource.Properties ?? {}), arn, id))
    .map(({ resource, logicalId }) => `${resource.Type} ${logicalId}`);
}

function mentions(value: unknown, arn: string, id: string): boolean {
  if (typeof value === 'string') return value === arn || value === id;
  if (Array.isArray(value)) return value.some((element) => mentions(element, arn, id));
  return isObject(value) && Object.values(value).some((member) => mentions(member, arn, id));
}

/**
 * Whom the key's policy lets do it. Roles are named in it by a condition on the caller's ARN; where it leaves an action to the account
 * as a whole, IAM policies decide, and the principals of the deployment are those whose policies have it.
 */
function principalsThatMay(inventory: PolicyInventory, keyArn: string, action: string): readonly string[] {
  const allowing = inventory.resourcePolicies
    .filter(({ resourceArn }) => resourceArn === keyArn)
    .flatMap(({ document }) => document.Statement)
    .filter((statement) => statement.Effect === 'Allow' && coversAction(statement, action));
  const names = allowing.flatMap(({ Principal, Condition }) => {
    const callers = Object.entries(Condition ?? {})
      .filter(([operator]) => /^(Arn|String)(Equals|Like)$/.test(operator))
      .flatMap(([, keys]) => keys['aws:PrincipalArn'] ?? []);
    if (callers.length > 0) return callers;
    const stated = typeof Principal === 'object' ? Object.values(Principal).flat() : ['*'];
    return stated.flatMap((name) =>
      name.endsWith(':root') ? [wholeAccount, ...byIdentity(inventory, keyArn, action)] : [name],
    );
  });
  return [...new Set(names.map((name) => name.replace(/^arn:[^:]+:iam::\d+:(role|user)\//, '')))].sort();
}

const wholeAccount = 'whom IAM policies of the account allow it';

function byIdentity({ principals }: PolicyInventory, keyArn: string, action: string): readonly string[] {
  const allows = (statement: Statement) =>
    statement.Effect === 'Allow' &&
    coversAction(statement, action) &&
    (statement.Resource ?? []).some((pattern) => matchesPattern(pattern, keyArn));
  return principals
    .filter(({ identityPolicies }) => identityPolicies.some(({ document }) => document.Statement.some(allows)))
    .map(({ name }) => name);
}
