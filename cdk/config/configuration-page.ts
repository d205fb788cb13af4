/** docs/configuration.md, from the schema and the rules. */
import type { Rule } from './rule.js';

/** What is read of the JSON Schema. */
export interface SchemaDocument {
  readonly definitions: Readonly<Record<string, SchemaNode>>;
}

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: SchemaNode;
  readonly oneOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly $ref?: string;
}

const root = 'DeploymentConfiguration';

/** The page in Markdown, not formatted. */
export function configurationPage({ definitions }: SchemaDocument, rules: readonly Rule[]): string {
  const types = [root, ...Object.keys(definitions).filter((name) => name !== root)];
  return [
    '# Configuration of a deployment',
    '',
    '<!-- Made from cdk/config by `npm run configuration-reference`. -->',
    '',
    'One file for each deployment: `cdk/deployments/<name>.ts` exports `deployment`, of type `DeploymentConfiguration`; or a JSON file',
    'that fits `cdk/config/deployment-configuration.schema.json`. `cdk/examples/` has five to begin with. It is checked before',
    'anything is built, and whatever is wrong is named with its code, its place and what to do.',
    ...types.flatMap((name) => typeSection(name, definitions[name] ?? {})),
    '',
    '## Rules between settings',
    '',
    'What does not fit the schema is refused as `SHAPE`. Then these are tried:',
    '',
    '| code | demands |',
    '| --- | --- |',
    ...rules.map(({ code, demands }) => `| \`${code}\` | ${cell(demands)} |`),
    '',
  ].join('\n');
}

function typeSection(
  name: string,
  { description, properties, required = [], oneOf, anyOf, pattern }: SchemaNode,
): string[] {
  const alternatives = oneOf ?? anyOf;
  if (alternatives !== undefined) {
    const list = alternatives.map((alternative) => `- ${typeText(alternative)}`);
    return ['', `## ${name}`, '', 'One of:', '', ...list];
  }
  if (pattern !== undefined) return ['', `## ${name}`, '', `Text of the form \`${pattern}\`.`];
  if (properties === undefined) return [];
  return [
    '',
    `## ${name}`,
    ...(description === undefined ? [] : ['', description]),
    '',
    '| setting | takes | default | meaning |',
    '| --- | --- | --- | --- |',
    ...Object.entries(properties).map(([setting, node]) => {
      const fallback = node.default === undefined ? '' : `\`${JSON.stringify(node.default)}\``;
      const needed = required.includes(setting) ? '_needed_' : fallback;
      return `| \`${setting}\` | ${cell(typeText(node))} | ${cell(needed)} | ${cell(node.description ?? '')} |`;
    }),
  ];
}

function typeText(node: SchemaNode): string {
  if (node.$ref !== undefined) {
    const name = decodeURIComponent(node.$ref.replace('#/definitions/', ''));
    return /^(Record|Readonly)/.test(name) ? 'names and texts' : `[${name}](#${name.toLowerCase()})`;
  }
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (node.items !== undefined) return `list of ${typeText(node.items)}`;
  if (node.minimum !== undefined && node.maximum !== undefined) return `${node.minimum} to ${node.maximum}`;
  switch (node.type) {
    case 'boolean':
      return '`true`, `false`';
    case 'object':
      return 'names and texts';
    default:
      return 'text';
  }
}

/** Text in a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
