/**
 * The text of `docs/api-reference.md`: every operation of the OpenAPI document with its paths, who may call it, what it takes and
 * what it answers. Paths that do the same under another version, or with the organization named, are one operation.
 */
import { roleAllows, roles, type Permission } from '../auth/permissions.js';
import { errorsOfBody, errorsOfToken } from '../api/errors-of-form.js';
import { catalogue, type ErrorCode } from '../errors/catalogue.js';
import { tags } from './tags.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly description?: string;
}

interface Content {
  readonly content: { readonly 'application/json': { readonly schema: Schema } };
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: 'path' | 'query';
    readonly schema: Schema;
  }[];
  readonly requestBody?: Content;
  readonly responses: { readonly 200: Content };
  readonly 'x-access': string;
  readonly 'x-audit'?: string;
  readonly 'x-error-codes': readonly ErrorCode[];
}

/** What of the OpenAPI document is read. */
export interface ReferencedDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Entry {
  readonly method: string;
  readonly paths: string[];
  readonly operation: Operation;
}

export function apiReference(document: ReferencedDocument): string {
  const entries = entriesOf(document);
  const sections = tags.flatMap((tag) => {
    const under = entries.filter(({ operation }) => operation.tags.includes(tag));
    return under.length === 0 ? [] : [`## ${tag}\n`, ...under.map(operationText)];
  });
  const objects = Object.entries(document.components.schemas).map(
    ([name, schema]) => `### ${name}\n\n${fieldTable(schema)}\n`,
  );
  return [
    introduction,
    permissionTable(entries),
    errorTable(),
    ...sections,
    '## Objects\n',
    'What answers are made of. Fields that are not always there are marked.\n',
    ...objects,
  ].join('\n');
}

const introduction = `# Reference of the Platform API

Generated from [\`control-plane/openapi.json\`](../control-plane/openapi.json), which is generated from the routes: \`npm run api-reference\`.
[platform-api.md](platform-api.md) explains what belongs together.

Every call but the public ones carries \`Authorization: Bearer <platform token>\`. Bodies are JSON. A path without an organization is about
the home organization of the token; databases and groups are named by name or id. Every success has status 200. An operation whose
summary is "Not offered yet." answers \`NOT_OFFERED\`.
`;

function entriesOf({ paths }: ReferencedDocument): Entry[] {
  const entries = new Map<string, Entry>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const base = operation.operationId.replace(/(OfOrganizationV2|OfOrganization|V2|V3)$/, '');
      // Another form of the same operation takes and answers the same, or is shown by itself.
      const { summary, requestBody, responses } = operation;
      const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      const key = JSON.stringify([base, method, summary, query, requestBody, responses]);
      const entry = entries.get(key);
      if (entry) entry.paths.push(path);
      else entries.set(key, { method: method.toUpperCase(), paths: [path], operation });
    }
  }
  for (const { paths: forms } of entries.values()) forms.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return [...entries.values()].sort((a, b) => compare(a.paths[0], b.paths[0]) || compare(a.method, b.method));
}

function operationText({ method, paths: [path = '', ...others], operation }: Entry): string {
  const { summary, parameters = [], requestBody, responses } = operation;
  const lines = [`### ${method} ${path}\n`, `${summary}\n`];
  if (others.length > 0) lines.push(`Also: ${others.map((other) => `\`${other}\``).join(', ')}.\n`);
  const audit = operation['x-audit'];
  lines.push(`- Who: ${whoMay(operation['x-access'])}${audit === undefined ? '' : `; audited as \`${audit}\``}.`);
  const named = parameters.filter((parameter) => parameter.in === 'query' || typeOf(parameter.schema) !== 'text');
  for (const { name, in: place, schema } of named) lines.push(`- ${place} \`${name}\`: ${typeOf(schema)}.`);
  const body = requestBody?.content['application/json'].schema;
  if (body) lines.push(`- Body: ${typeOf(body)}.`);
  lines.push(`- Answer: ${typeOf(responses[200].content['application/json'].schema)}.`);
  lines.push(errorsLine(operation, method));
  return lines.join('\n');
}

function whoMay(access: string): string {
  switch (access) {
    case 'public':
      return 'anybody, without a token';
    case 'authenticated':
      return 'every platform token';
    case 'user':
      return 'platform tokens that are not restricted to an organization or a group';
    case 'operator':
      return 'operators of the deployment';
    default:
      return `permission [\`${access}\`](#who-has-which-permission)`;
  }
}

/** A type in words; an object in the form that it has. */
function typeOf(schema: Schema): string {
  const { $ref, type, items, properties, additionalProperties } = schema;
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? '';
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  if (properties) {
    const fields = Object.entries(properties).map(([name, field]) => {
      const mark = schema.required?.includes(name) === true ? '' : '?';
      return `\`${name}\`${mark} ${typeOf(field)}`;
    });
    return fields.length === 0 ? 'an empty object' : `{ ${fields.join(', ')} }`;
  }
  if (items) return `list${bounds(schema.minItems, schema.maxItems, '')} of ${typeOf(items)}`;
  if (typeof additionalProperties === 'object') return `object whose values are ${typeOf(additionalProperties)}`;
  const names = (typeof type === 'string' ? [type] : (type ?? [])).map((name) => typeNames[name] ?? name);
  if (names.length === 0) return 'any value';
  const { minLength, maxLength, minimum, maximum, pattern } = schema;
  const form = pattern === undefined ? '' : ` matching \`${pattern.replaceAll('|', '\\|')}\``;
  return `${names.join(' or ')}${bounds(minLength, maxLength, ' characters')}${bounds(minimum, maximum, '')}${form}`;
}

const typeNames: Readonly<Record<string, string>> = { string: 'text', integer: 'whole number', array: 'list' };

function bounds(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined && most === undefined) return '';
  if (most === undefined) return ` (at least ${least}${unit})`;
  return least === undefined ? ` (at most ${most}${unit})` : ` (${least} to ${most}${unit})`;
}

function fieldTable({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(
    ([name, field]) => `| \`${name}\` | ${typeOf(field)} | ${required.includes(name) ? 'always' : 'maybe'} |`,
  );
  return ['| field | type | there |', '| --- | --- | --- |', ...rows].join('\n');
}

function permissionTable(entries: readonly Entry[]): string {
  const access = new Set(entries.map(({ operation }) => operation['x-access']));
  for (const other of ['public', 'authenticated', 'user', 'operator']) access.delete(other);
  const rows = [...access].sort().map((permission) => {
    const cells = roles.map((role) => (roleAllows(role, permission as Permission) ? 'yes' : ''));
    return `| \`${permission}\` | ${cells.join(' | ')} |`;
  });
  return [
    '## Who has which permission\n',
    'By the role in the organization. A token has at most the rights of the person who minted it ([platform-api.md](platform-api.md)).\n',
    `| permission | ${roles.join(' | ')} |`,
    `| --- |${' --- |'.repeat(roles.length)}`,
    ...rows,
    '',
  ].join('\n');
}

/** The codes of an operation that are not those of every call with a token, and of every one with a body. */
function errorsLine(operation: Operation, method: string): string {
  const ofMany = new Set<ErrorCode>([
    'INTERNAL',
    ...(operation['x-access'] === 'public' ? [] : errorsOfToken),
    ...(method === 'GET' ? [] : errorsOfBody),
  ]);
  const own = operation['x-error-codes'].filter((code) => !ofMany.has(code)).map(errorLink);
  const shared = operation['x-access'] === 'public' ? 'of every call' : 'of every call with a token';
  return `- Errors: ${[...own, `those [${shared}](#errors)`].join(', ')}.\n`;
}

function errorLink(code: ErrorCode): string {
  return `[\`${code}\`](platform-api-errors.md#${code.toLowerCase()})`;
}

function errorTable(): string {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const [code, { status }] of Object.entries(catalogue)) {
    byStatus.set(status, [...(byStatus.get(status) ?? []), code as ErrorCode]);
  }
  const rows = [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, codes]) => `| ${status} | ${codes.map(errorLink).join(', ')} |`);
  return [
    '## Errors\n',
    'Every refusal has the body [Error](#error); what to do about each is behind its name. With each operation stand the codes that it may',
    'answer, beside those of many calls:\n',
    `- Every call: ${errorLink('INTERNAL')}; an address that there is not: ${errorLink('ROUTE_NOT_FOUND')}.`,
    `- Every call with a token: ${errorsOfToken.map(errorLink).join(', ')}.`,
    `- Every call but GET, whose body is read before the operation begins: ${errorsOfBody.map(errorLink).join(', ')}.\n`,
    '| status | codes |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function compare(one = '', other = ''): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
