import { NagRuleCompliance } from 'cdk-nag';
import { asList, isObject } from '../../assembly/template.js';
import { asText, deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const imageByDigest: Rule = {
  name: 'ImageByDigest',
  info: 'A container image is named by a tag.',
  explanation:
    'A tag can be moved to other bytes after they were looked at. Name images by digest: <repository>@sha256:…',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::ECS::TaskDefinition') return NagRuleCompliance.NOT_APPLICABLE;
    const findings = asList(deployedProperties(node)['ContainerDefinitions'])
      .filter(isObject)
      .filter((container) => !/@sha256:[0-9a-f]{64}$/.test(asText(container['Image'])))
      .map((container) => asText(container['Name']));
    return findings.length > 0 ? findings : NagRuleCompliance.COMPLIANT;
  },
};
