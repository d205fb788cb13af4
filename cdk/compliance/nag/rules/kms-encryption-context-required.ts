import { NagRuleCompliance } from 'cdk-nag';
import { coversAction, type Statement } from '../../iam/policy-document.js';
import { deployedStatements, isCeiling } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

const uses = ['kms:Decrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyWithoutPlaintext', 'kms:ReEncryptFrom'];

export const kmsEncryptionContextRequired: Rule = {
  name: 'KmsEncryptionContextRequired',
  info: 'A statement allows the use of a KMS key without saying for what.',
  explanation:
    'A data key is bound to deployment, organization, group and database by its encryption context; a right to decrypt without a condition on kms:EncryptionContext opens all of them. For keys of storage, name the service in kms:ViaService.',
  check: (node) => {
    if (isCeiling(node)) return NagRuleCompliance.NOT_APPLICABLE;
    const findings = deployedStatements(node)
      .filter((statement) => statement.Effect === 'Allow' && !isBounded(statement))
      .filter((statement) => !isWholeAccount(statement) && !isService(statement))
      .flatMap((statement) => uses.filter((action) => coversAction(statement, action)));
    if (findings.length > 0) return [...new Set(findings)];
    return NagRuleCompliance.COMPLIANT;
  },
};

function isBounded(statement: Statement): boolean {
  return Object.values(statement.Condition ?? {})
    .flatMap((keys) => Object.keys(keys))
    .some((key) => /^kms:(EncryptionContext(:.+|Keys)|ViaService)$/i.test(key));
}

/** In a key policy: leaves it to the IAM policies of the account, which are held to the same rule. */
function isWholeAccount({ Principal }: Statement): boolean {
  return typeof Principal === 'object' && (Principal['AWS'] ?? []).some((name) => name.endsWith(':root'));
}

/** An AWS service states its own context, and is bound by aws:SourceArn or aws:SourceAccount. */
function isService(statement: Statement): boolean {
  if (typeof statement.Principal !== 'object' || !('Service' in statement.Principal)) return false;
  const keys = Object.values(statement.Condition ?? {}).flatMap((each) => Object.keys(each));
  return keys.some((key) => /^aws:Source(Arn|Account)$/i.test(key));
}
