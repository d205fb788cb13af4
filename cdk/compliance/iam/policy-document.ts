import { asList, isObject } from '../assembly/template.js';

/** An IAM policy with every intrinsic function computed and every "one or many" made a list. */
export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: Principals;
  readonly NotPrincipal?: Principals;
  readonly Action?: readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: Conditions;
}

/** `*` is everybody, signed or not. */
export type Principals = '*' | Readonly<Record<string, readonly string[]>>;

/** Operator → key → values. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/**
 * @param what names the policy in the error.
 * @throws Error when it is not a policy document.
 */
export function policyDocumentOf(value: unknown, what: string): PolicyDocument {
  if (!isObject(value)) throw new Error(`${what}: ${JSON.stringify(value)} is not a policy document`);
  return {
    Version: typeof value['Version'] === 'string' ? value['Version'] : '2008-10-17',
    Statement: asList(value['Statement']).map((statement) => statementOf(statement, what)),
  };
}

export function statementOf(value: unknown, what: string): Statement {
  if (!isObject(value) || (value['Effect'] !== 'Allow' && value['Effect'] !== 'Deny')) {
    throw new Error(`${what}: ${JSON.stringify(value)} is not a statement`);
  }
  const strings = (member: string) =>
    value[member] === undefined ? {} : { [member]: asList(value[member]).map(String) };
  const principals = (member: string) =>
    value[member] === undefined ? {} : { [member]: principalsOf(value[member], what) };
  return {
    Effect: value['Effect'],
    ...(typeof value['Sid'] === 'string' && { Sid: value['Sid'] }),
    ...principals('Principal'),
    ...principals('NotPrincipal'),
    ...strings('Action'),
    ...strings('NotAction'),
    ...strings('Resource'),
    ...strings('NotResource'),
    ...(value['Condition'] !== undefined && { Condition: conditionsOf(value['Condition'], what) }),
  };
}

function principalsOf(value: unknown, what: string): Principals {
  if (value === '*') return '*';
  if (!isObject(value)) throw new Error(`${what}: ${JSON.stringify(value)} is no principal`);
  return Object.fromEntries(Object.entries(value).map(([kind, names]) => [kind, asList(names).map(String)]));
}

function conditionsOf(value: unknown, what: string): Conditions {
  if (!isObject(value)) throw new Error(`${what}: ${JSON.stringify(value)} is no condition`);
  return Object.fromEntries(
    Object.entries(value).map(([operator, keys]) => {
      if (!isObject(keys)) throw new Error(`${what}: ${JSON.stringify(keys)} is no condition`);
      return [
        operator,
        Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, asList(values).map(String)])),
      ];
    }),
  );
}

/** Whether a name is matched by a pattern of IAM: `*` any characters, `?` one. Actions are compared without case. */
export function matchesPattern(pattern: string, name: string, caseSensitive = true): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${expression}$`, caseSensitive ? 's' : 'si').test(name);
}

/** Whether a statement's actions take in this one, whichever way they are written. */
export function coversAction(statement: Pick<Statement, 'Action' | 'NotAction'>, action: string): boolean {
  if (statement.NotAction) return !statement.NotAction.some((pattern) => matchesPattern(pattern, action, false));
  return (statement.Action ?? []).some((pattern) => matchesPattern(pattern, action, false));
}
