import { NagRuleCompliance } from 'cdk-nag';
import { asList, isObject } from '../../assembly/template.js';
import { coversAction } from '../../iam/policy-document.js';
import { deployedProperties, policiesFor, statementsOf } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

const keyInRequest = 's3:x-amz-server-side-encryption-aws-kms-key-id';

export const bucketDenyWrongKey: Rule = {
  name: 'BucketDenyWrongKey',
  info: 'The policy of the bucket does not deny writes that name another KMS key than the bucket has.',
  explanation:
    'A default key is only a default: a request that names another key is encrypted with that one, also one of a foreign account. Deny s3:PutObject to everybody where s3:x-amz-server-side-encryption-aws-kms-key-id is another one.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::S3::Bucket' || !hasKey(deployedProperties(node)['BucketEncryption'])) {
      return NagRuleCompliance.NOT_APPLICABLE;
    }
    const statements = policiesFor(node, 'AWS::S3::BucketPolicy').flatMap((policy) =>
      isObject(policy['PolicyDocument']) ? statementsOf(policy['PolicyDocument'], node.node.path) : [],
    );
    const denied = statements.some((statement) => {
      const operators = Object.entries(statement.Condition ?? {});
      const onAnotherKey = operators.some(
        ([operator, keys]) => /Not(Equals|Like)/.test(operator) && keyInRequest in keys,
      );
      const toEverybody = statement.Principal === '*' || (statement.Principal?.['AWS'] ?? []).includes('*');
      return statement.Effect === 'Deny' && toEverybody && coversAction(statement, 's3:PutObject') && onAnotherKey;
    });
    return denied ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
  },
};

function hasKey(encryption: unknown): boolean {
  const rules = isObject(encryption) ? asList(encryption['ServerSideEncryptionConfiguration']) : [];
  return rules.some((rule) => {
    const byDefault = isObject(rule) ? rule['ServerSideEncryptionByDefault'] : undefined;
    return isObject(byDefault) && byDefault['KMSMasterKeyID'] !== undefined;
  });
}
