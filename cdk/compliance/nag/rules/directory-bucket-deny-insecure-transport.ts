import { NagRuleCompliance } from 'cdk-nag';
import { isObject } from '../../assembly/template.js';
import { coversAction } from '../../iam/policy-document.js';
import { policiesFor, statementsOf } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const directoryBucketDenyInsecureTransport: Rule = {
  name: 'DirectoryBucketDenyInsecureTransport',
  info: 'The policy of the S3 Express directory bucket does not deny requests over plain HTTP to everybody.',
  explanation: 'Deny s3express:* to every principal where aws:SecureTransport is false, in a policy of the bucket.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::S3Express::DirectoryBucket') return NagRuleCompliance.NOT_APPLICABLE;
    const statements = policiesFor(node, 'AWS::S3Express::BucketPolicy').flatMap((policy) =>
      isObject(policy['PolicyDocument']) ? statementsOf(policy['PolicyDocument'], node.node.path) : [],
    );
    const denied = statements.some(
      (statement) =>
        statement.Effect === 'Deny' &&
        (statement.Principal === '*' || (statement.Principal?.['AWS'] ?? []).includes('*')) &&
        coversAction(statement, 's3express:CreateSession') &&
        statement.Condition?.['Bool']?.['aws:SecureTransport']?.[0] === 'false',
    );
    return denied ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
  },
};
