import type { PropertyType, ResourceProperties } from '@aws-cdk/service-spec-types';
import { isObject, type JsonObject } from '../assembly/template.js';

export interface ValueContext {
  /** The members of a structure that a type refers to. */
  readonly propertiesOf: (reference: Extract<PropertyType, { type: 'ref' }>) => ResourceProperties;
  readonly report: (path: string, problem: string) => void;
}

/**
 * Compares an object with the properties that its type has: unknown ones, missing ones, values of another shape. What an
 * intrinsic function will give is not known and passes, except the branches of `Fn::If`, which are looked into.
 */
export function valueProblems(
  value: JsonObject,
  properties: ResourceProperties,
  path: string,
  context: ValueContext,
): void {
  for (const [name, member] of Object.entries(value)) {
    const property = properties[name];
    if (property === undefined) {
      context.report(`${path}.${name}`, `is no property; there are ${nearest(name, Object.keys(properties))}`);
      continue;
    }
    shapeProblems(member, [property.type, ...(property.previousTypes ?? [])], `${path}.${name}`, context);
  }
  for (const [name, property] of Object.entries(properties)) {
    if (property.required === true && !(name in value)) context.report(`${path}.${name}`, 'is required');
  }
}

/** Reports the problems of the type that fits best, none when one fits. */
function shapeProblems(value: unknown, types: readonly PropertyType[], path: string, context: ValueContext): void {
  let fewest: readonly (readonly [string, string])[] | undefined;
  for (const type of types.flatMap((each) => (each.type === 'union' ? each.types : [each]))) {
    const problems: [string, string][] = [];
    checkShape(value, type, path, { ...context, report: (where, problem) => problems.push([where, problem]) });
    if (problems.length === 0) return;
    if (fewest === undefined || problems.length < fewest.length) fewest = problems;
  }
  for (const [where, problem] of fewest ?? []) context.report(where, problem);
}

function checkShape(value: unknown, type: PropertyType, path: string, context: ValueContext): void {
  if (isObject(value)) {
    const [key, ...others] = Object.keys(value);
    if (key === 'Fn::If' && others.length === 0) {
      const [, ...branches] = value[key] as readonly unknown[];
      branches.forEach((branch) => checkShape(branch, type, path, context));
      return;
    }
    if (key !== undefined && others.length === 0 && (key === 'Ref' || key.startsWith('Fn::'))) return;
  }
  const mustBe = (what: string, holds: boolean) => {
    if (!holds) context.report(path, `is not ${what}`);
  };
  switch (type.type) {
    case 'string':
      mustBe('a string', isScalar(value));
      if (type.allowedValues && typeof value === 'string' && !type.allowedValues.includes(value)) {
        context.report(path, `${value} is none of ${type.allowedValues.join(', ')}`);
      }
      break;
    case 'date-time':
      mustBe('a time', isScalar(value));
      break;
    case 'number':
      mustBe('a number', isScalar(value) && value !== '' && !Number.isNaN(Number(value)));
      break;
    case 'integer':
      mustBe('an integer', isScalar(value) && value !== '' && Number.isInteger(Number(value)));
      break;
    case 'boolean':
      mustBe('a boolean', typeof value === 'boolean' || value === 'true' || value === 'false');
      break;
    case 'json':
      mustBe('JSON', value !== undefined);
      break;
    case 'null':
      mustBe('nothing', value === null);
      break;
    case 'tag':
      mustBe('a tag', isObject(value) && 'Key' in value && 'Value' in value);
      break;
    case 'array':
      mustBe('a list', Array.isArray(value));
      if (!Array.isArray(value)) break;
      value.forEach((element, index) => shapeProblems(element, [type.element], `${path}.${index}`, context));
      break;
    case 'map':
      mustBe('a map', isObject(value));
      if (!isObject(value)) break;
      for (const [key, member] of Object.entries(value))
        shapeProblems(member, [type.element], `${path}.${key}`, context);
      break;
    case 'union':
      shapeProblems(value, [type], path, context);
      break;
    case 'ref':
      mustBe('a structure', isObject(value));
      if (isObject(value)) valueProblems(value, context.propertiesOf(type), path, context);
      break;
  }
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Names that are written nearly the same, for the message; all where none is near. */
function nearest(name: string, names: readonly string[]): string {
  const wanted = name.toLowerCase();
  const near = names.filter((candidate) => {
    const other = candidate.toLowerCase();
    return other.startsWith(wanted.slice(0, 4)) || other.endsWith(wanted.slice(-5));
  });
  return (near.length > 0 ? near : names).join(', ');
}
