import { NagRuleCompliance } from 'cdk-nag';
import { coversAction } from '../../iam/policy-document.js';
import { deployedStatements, isCeiling } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const directoryBucketCreateSessionScoped: Rule = {
  name: 'DirectoryBucketCreateSessionScoped',
  info: 'A statement allows sessions of S3 Express on no bucket in particular, or of any mode.',
  explanation:
    'A session is the only right there is to the objects of a directory bucket, and its mode the only thing that tells readers from writers. Name the buckets, and the mode in a condition on s3express:SessionMode.',
  check: (node) => {
    if (isCeiling(node)) return NagRuleCompliance.NOT_APPLICABLE;
    const allowing = deployedStatements(node).filter(
      (statement) => statement.Effect === 'Allow' && coversAction(statement, 's3express:CreateSession'),
    );
    if (allowing.length === 0) return NagRuleCompliance.NOT_APPLICABLE;
    const scoped = allowing.every((statement) => {
      const named = (statement.Resource ?? []).every((resource) => resource !== '*' && !resource.endsWith('bucket/*'));
      const keys = Object.values(statement.Condition ?? {}).flatMap((condition) => Object.keys(condition));
      return statement.Resource !== undefined && named && keys.includes('s3express:SessionMode');
    });
    return scoped ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
  },
};
