import type { SynthesizedApp, SynthesizedStack } from '../../compliance/assembly/synthesized-app.js';
import type { Template } from '../../compliance/assembly/template.js';

/** An app of hand-written templates by the name of their stack, in account 111122223333 and region eu-central-1. */
export function appOf(templates: Readonly<Record<string, Template>>): SynthesizedApp {
  return {
    directory: '/nowhere',
    stacks: Object.entries(templates).map(([name, template]): SynthesizedStack => ({
      name,
      path: name,
      account: '111122223333',
      region: 'eu-central-1',
      templateFile: `/nowhere/${name}.template.json`,
      template,
      terminationProtection: true,
    })),
  };
}
