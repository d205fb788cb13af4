/**
 * JSON Schemas by which manifests are checked, one for each kind, made of what Kubernetes and the makers of custom resources
 * publish. Strict: a field that the API does not know is an error, as it is a misspelt one that would be dropped silently.
 */
import type { JsonSchema } from './chart-values.js';

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** An OpenAPI 2 document of the Kubernetes API. */
export interface Swagger {
  readonly definitions: Readonly<Record<string, JsonSchema>>;
}

/** The name under which a validator looks for the schema of a kind. */
export function schemaFileName({ group, version, kind }: GroupVersionKind): string {
  return `${kind.toLowerCase()}-${group === '' ? version : group}-${version}.json`;
}

/** The schemas of all kinds that a document of the Kubernetes API defines, by file name. */
export function apiSchemas(swagger: Swagger): Map<string, JsonSchema> {
  const definitions = new Map(Object.entries(swagger.definitions).map(([name, schema]) => [name, strict(schema)]));
  // In a manifest these may be numbers, too.
  for (const name of [
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    'io.k8s.apimachinery.pkg.api.resource.Quantity',
  ]) {
    if (definitions.has(name)) definitions.set(name, { type: ['string', 'number'] });
  }
  const schemas = new Map<string, JsonSchema>();
  for (const [name, original] of Object.entries(swagger.definitions)) {
    const kinds = (original['x-kubernetes-group-version-kind'] ?? []) as readonly GroupVersionKind[];
    // Options of requests belong to every group and are no manifests.
    if (kinds.length !== 1 || kinds[0] === undefined) continue;
    const needed = reachable(name, definitions);
    schemas.set(schemaFileName(kinds[0]), {
      ...definitions.get(name),
      definitions: Object.fromEntries([...needed].map((each) => [each, definitions.get(each)])),
    });
  }
  return schemas;
}

/** A CustomResourceDefinition as far as it is read here. */
export interface CustomResourceDefinition {
  readonly kind: string;
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: JsonSchema } }[];
  };
}

/** The schemas of the versions of a custom resource, by file name. */
export function customSchemas({ spec }: CustomResourceDefinition): Map<string, JsonSchema> {
  return new Map(
    spec.versions.map(({ name, schema }) => [
      schemaFileName({ group: spec.group, version: name, kind: spec.names.kind }),
      strict(schema.openAPIV3Schema),
    ]),
  );
}

const formatsOfNumbers = new Set(['int32', 'int64', 'float', 'double']);

function strict(schema: JsonSchema): JsonSchema {
  if (schema['x-kubernetes-int-or-string'] === true) return { type: ['string', 'integer'] };
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword.startsWith('x-') || keyword === 'description' || keyword === 'default') continue;
    if (keyword === 'format' && formatsOfNumbers.has(String(value))) continue;
    if (keyword === 'properties') {
      const properties = Object.entries(value as Record<string, JsonSchema>);
      result[keyword] = Object.fromEntries(properties.map(([name, property]) => [name, strict(property)]));
    } else if (keyword === 'allOf' || keyword === 'anyOf' || keyword === 'oneOf') {
      // Parts of a whole: what they do not name, the whole does.
      result[keyword] = (value as JsonSchema[]).map((part) => ('$ref' in part ? strict(part) : part));
    } else if ((keyword === 'items' || keyword === 'additionalProperties') && typeof value === 'object') {
      result[keyword] = strict(value as JsonSchema);
    } else {
      result[keyword] = value;
    }
  }
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if ('properties' in result && !('additionalProperties' in result) && !isOpen) result['additionalProperties'] = false;
  return result;
}

/** The definitions that one refers to, directly or not, itself only where it refers to itself. */
function reachable(start: string, definitions: ReadonlyMap<string, JsonSchema>): Set<string> {
  const found = new Set<string>();
  const waiting = [start];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const [, target] of JSON.stringify(definitions.get(name)).matchAll(/"#\/definitions\/([^"]+)"/g)) {
      if (target === undefined || found.has(target)) continue;
      found.add(target);
      waiting.push(target);
    }
  }
  return found;
}
