import type { SqlValue } from '../engine/adapters/adapter.js';
import { decodeValue } from './decode-value.js';
import { asArray, asInt32, asObject, asString, isAbsent, malformed, type JsonObject } from './json-shape.js';
import type { BatchCondition, BatchStep, HranaStatement, NamedArgument, SqlText } from './protocol.js';
import { checkConditionDepth, checkEarlierStep, sqlText } from './request-checks.js';

const noArguments: readonly never[] = [];

/** `sql` or `sql_id` of a request. Throws MALFORMED_REQUEST. */
export function decodeSqlText(json: JsonObject, path: string): SqlText {
  const { sql, sql_id: sqlId } = json;
  if (isAbsent(sqlId)) return { sql: asString(sql, `${path}.sql`) };
  return sqlText(isAbsent(sql) ? undefined : asString(sql, `${path}.sql`), asInt32(sqlId, `${path}.sql_id`), path);
}

/** A statement with its arguments. Throws MALFORMED_REQUEST. */
export function decodeStatement(json: unknown, path: string): HranaStatement {
  const statement = asObject(json, path);
  const { args, named_args: namedArgs, want_rows: wantRows } = statement;
  if (!isAbsent(wantRows) && typeof wantRows !== 'boolean') throw malformed(`${path}.want_rows`, 'a boolean');
  return {
    text: decodeSqlText(statement, path),
    args: isAbsent(args) ? noArguments : decodeArguments(args, path),
    namedArgs: isAbsent(namedArgs) ? noArguments : decodeNamedArguments(namedArgs, path),
    wantRows: wantRows ?? true,
  };
}

function decodeArguments(json: unknown, path: string): readonly SqlValue[] {
  return asArray(json, `${path}.args`).map((value, index) => decodeValue(value, `${path}.args[${index}]`));
}

function decodeNamedArguments(json: unknown, path: string): readonly NamedArgument[] {
  return asArray(json, `${path}.named_args`).map((element, index) => {
    const place = `${path}.named_args[${index}]`;
    const argument = asObject(element, place);
    return {
      name: asString(argument['name'], `${place}.name`),
      value: decodeValue(argument['value'], `${place}.value`),
    };
  });
}

/** The steps of a batch. Throws MALFORMED_REQUEST, also for a condition on the step itself or a later one. */
export function decodeSteps(json: unknown, path: string): BatchStep[] {
  return asArray(asObject(json, path)['steps'], `${path}.steps`).map((element, index) => {
    const place = `${path}.steps[${index}]`;
    const step = asObject(element, place);
    const { condition } = step;
    return {
      condition: isAbsent(condition) ? undefined : decodeCondition(condition, index, 1, `${place}.condition`),
      statement: decodeStatement(step['stmt'], `${place}.stmt`),
    };
  });
}

function decodeCondition(json: unknown, ownStep: number, depth: number, path: string): BatchCondition {
  checkConditionDepth(depth);
  const condition = asObject(json, path);
  const { type } = condition;
  switch (type) {
    case 'ok':
    case 'error': {
      const step = asInt32(condition['step'], `${path}.step`);
      checkEarlierStep(step, ownStep, `${path}.step`);
      return { type, step };
    }
    case 'not':
      return { type, condition: decodeCondition(condition['cond'], ownStep, depth + 1, `${path}.cond`) };
    case 'and':
    case 'or': {
      const conditions = asArray(condition['conds'], `${path}.conds`);
      return {
        type,
        conditions: conditions.map((element, index) =>
          decodeCondition(element, ownStep, depth + 1, `${path}.conds[${index}]`),
        ),
      };
    }
    case 'is_autocommit':
      return { type };
    default:
      throw malformed(`${path}.type`, '"ok", "error", "not", "and", "or" or "is_autocommit"');
  }
}
