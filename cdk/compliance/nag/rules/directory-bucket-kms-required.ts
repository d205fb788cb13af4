import { NagRuleCompliance } from 'cdk-nag';
import { asList, isObject } from '../../assembly/template.js';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const directoryBucketKmsRequired: Rule = {
  name: 'DirectoryBucketKmsRequired',
  info: 'The S3 Express directory bucket is not encrypted with a customer managed KMS key.',
  explanation:
    'The commit log holds every commit that is not in a checkpoint yet. A directory bucket takes one customer managed key for its whole life; without one AWS owns the key and nobody can take it away.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::S3Express::DirectoryBucket') return NagRuleCompliance.NOT_APPLICABLE;
    const encryption = deployedProperties(node)['BucketEncryption'];
    const rules = isObject(encryption) ? asList(encryption['ServerSideEncryptionConfiguration']) : [];
    const keyed = rules.some((rule) => {
      const byDefault = isObject(rule) ? rule['ServerSideEncryptionByDefault'] : undefined;
      return (
        isObject(byDefault) && byDefault['SSEAlgorithm'] === 'aws:kms' && byDefault['KMSMasterKeyID'] !== undefined
      );
    });
    return keyed ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
  },
};
