import type { ChartValue, JsonSchema } from './chart-values.js';

/** What a container asks for and may take; limits are not optional. */
const amounts = (names: readonly string[]): JsonSchema => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string', minLength: 1 }])),
  required: names,
  additionalProperties: false,
});
const resourceNames = ['cpu', 'memory', 'ephemeral-storage'];

const definitions: JsonSchema = {
  strings: { type: 'object', additionalProperties: { type: 'string' } },
  resources: {
    type: 'object',
    properties: { requests: amounts(resourceNames), limits: amounts(resourceNames) },
    required: ['requests', 'limits'],
    additionalProperties: false,
  },
};

/** The JSON Schema of a chart's values: no key beyond the annotated ones. `global` is what Helm gives to every chart. */
export function valuesSchema(values: readonly ChartValue[]): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...schemaOfMap([
      ...values,
      { path: ['global'], description: '', schema: { type: 'object' }, defaultValue: {}, children: undefined },
    ]),
    $defs: definitions,
  };
}

function schemaOfMap(values: readonly ChartValue[]): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(values.map((value) => [value.path.at(-1), schemaOf(value)])),
    additionalProperties: false,
  };
}

function schemaOf(value: ChartValue): JsonSchema {
  const description = value.description === '' ? {} : { description: value.description };
  if (value.children) return { ...description, ...schemaOfMap(value.children) };
  if ('$ref' in value.schema) return { ...description, allOf: [value.schema] };
  return { ...description, ...ofDefault(value.defaultValue, value.schema), ...value.schema };
}

function ofDefault(value: unknown, schema: JsonSchema): JsonSchema {
  if ('enum' in schema || 'type' in schema) return {};
  if (typeof value === 'string' || typeof value === 'boolean') return { type: typeof value };
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'integer' : 'number' };
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return { type: 'object', additionalProperties: false };
  }
  throw new Error(`the default ${JSON.stringify(value)} does not say what the value may be; add @schema`);
}
