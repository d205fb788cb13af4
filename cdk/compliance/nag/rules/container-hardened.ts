import { NagRuleCompliance } from 'cdk-nag';
import { asList, isObject, type JsonObject } from '../../assembly/template.js';
import { asText, deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const containerHardened: Rule = {
  name: 'ContainerHardened',
  info: 'A container can write to its root file system, is privileged, runs as root, or keeps capabilities of Linux.',
  explanation:
    'Set ReadonlyRootFilesystem, a User that is not root, and drop ALL capabilities; the cache is the only place that is written, in a volume.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::ECS::TaskDefinition') return NagRuleCompliance.NOT_APPLICABLE;
    const findings = asList(deployedProperties(node)['ContainerDefinitions'])
      .filter(isObject)
      .flatMap((container) => weaknesses(container).map((weakness) => `${asText(container['Name'])}:${weakness}`));
    return findings.length > 0 ? findings : NagRuleCompliance.COMPLIANT;
  },
};

function weaknesses(container: JsonObject): readonly string[] {
  const linux = isObject(container['LinuxParameters']) ? container['LinuxParameters'] : {};
  const capabilities = isObject(linux['Capabilities']) ? linux['Capabilities'] : {};
  const user = asText(container['User'] ?? '0').split(':')[0];
  return [
    ...(container['ReadonlyRootFilesystem'] === true ? [] : ['writable-root']),
    ...(container['Privileged'] === true ? ['privileged'] : []),
    ...(user === '0' || user === 'root' || user === '' ? ['root-user'] : []),
    ...(asList(capabilities['Drop']).includes('ALL') ? [] : ['capabilities']),
  ];
}
