import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, type Template, type TemplateResource } from './template.js';

/**
 * What `cdk synth` left in a directory: the templates as they would be deployed. Every proof, the evidence and the costs read this
 * and nothing else, so that they speak of what is deployed, not of the code.
 */
export interface SynthesizedApp {
  readonly directory: string;
  readonly stacks: readonly SynthesizedStack[];
}

export interface SynthesizedStack {
  /** The name in CloudFormation. */
  readonly name: string;
  /** The path in the construct tree. */
  readonly path: string;
  /** `undefined` where the stack does not depend on an account, or a region. */
  readonly account: string | undefined;
  readonly region: string | undefined;
  readonly templateFile: string;
  readonly template: Template;
  readonly terminationProtection: boolean;
}

/** One resource, with the stack that it is in. */
export interface LocatedResource {
  readonly stack: SynthesizedStack;
  readonly logicalId: string;
  readonly resource: TemplateResource;
}

/** @throws Error when the directory is no cloud assembly, or an assembly without a stack. */
export function readCloudAssembly(directory: string): SynthesizedApp {
  const stacks = stacksOf(directory);
  if (stacks.length === 0) throw new Error(`${directory} holds no stack: was it written by cdk synth?`);
  return { directory, stacks };
}

export function resourcesOf(app: SynthesizedApp, ...types: readonly string[]): readonly LocatedResource[] {
  return app.stacks.flatMap((stack) =>
    Object.entries(stack.template.Resources)
      .filter(([, resource]) => types.length === 0 || types.includes(resource.Type))
      .map(([logicalId, resource]) => ({ stack, logicalId, resource })),
  );
}

function stacksOf(directory: string): readonly SynthesizedStack[] {
  const manifest = readJson(join(directory, 'manifest.json'));
  if (!isObject(manifest) || !isObject(manifest['artifacts'])) {
    throw new Error(`${directory}/manifest.json is not the manifest of a cloud assembly`);
  }
  return Object.entries(manifest['artifacts']).flatMap(([id, artifact]) => {
    if (!isObject(artifact) || !isObject(artifact['properties'])) return [];
    if (artifact['type'] === 'cdk:cloud-assembly') {
      return stacksOf(join(directory, text(artifact['properties']['directoryName'], `${id} directoryName`)));
    }
    return artifact['type'] === 'aws:cloudformation:stack'
      ? [stackOf(directory, id, artifact, artifact['properties'])]
      : [];
  });
}

function stackOf(
  directory: string,
  id: string,
  artifact: Readonly<Record<string, unknown>>,
  properties: Readonly<Record<string, unknown>>,
): SynthesizedStack {
  const templateFile = join(directory, text(properties['templateFile'], `${id} templateFile`));
  const template = readJson(templateFile);
  if (!isObject(template)) throw new Error(`${templateFile} is not a template`);
  const environment = /^aws:\/\/([^/]+)\/([^/]+)$/.exec(text(artifact['environment'], `${id} environment`));
  const known = (value: string | undefined) => (value?.startsWith('unknown-') === true ? undefined : value);
  return {
    name: typeof properties['stackName'] === 'string' ? properties['stackName'] : id,
    path: typeof artifact['displayName'] === 'string' ? artifact['displayName'] : id,
    account: known(environment?.[1]),
    region: known(environment?.[2]),
    templateFile,
    template: { ...template, Resources: (template['Resources'] ?? {}) as Template['Resources'] },
    terminationProtection: properties['terminationProtection'] === true,
  };
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`cloud assembly: ${what} is missing`);
  return value;
}
