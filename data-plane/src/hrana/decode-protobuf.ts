/**
 * Decodes the bodies of `/v3-protobuf/pipeline` and `/v3-protobuf/cursor`. Field numbers are those of the protocol. What a
 * message leaves out has its default (proto3); a field that comes twice counts as it came last.
 */
import type { SqlValue } from '../engine/adapters/adapter.js';
import { malformed } from './json-shape.js';
import type {
  BatchCondition,
  BatchStep,
  CursorRequest,
  HranaStatement,
  NamedArgument,
  PipelineRequest,
  SqlText,
  StreamRequest,
} from './protocol.js';
import { ElementBudget, readFields, type ProtobufField } from './protobuf-reader.js';
import { checkCloseIsLast, checkConditionDepth, checkEarlierStep, sqlText } from './request-checks.js';

const empty = Buffer.alloc(0);

/** Throws MALFORMED_REQUEST. */
export function decodeProtobufPipeline(body: Buffer): PipelineRequest {
  const budget = new ElementBudget();
  let baton: string | undefined;
  const requests: StreamRequest[] = [];
  readFields(body, 'the body', (field) => {
    if (field.number === 1) baton = field.string();
    else if (field.number === 2) {
      budget.take();
      requests.push(decodeStreamRequest(field.bytes(), `requests[${requests.length}]`, budget));
    }
  });
  checkCloseIsLast(requests);
  return { baton, requests };
}

/** Throws MALFORMED_REQUEST. */
export function decodeProtobufCursor(body: Buffer): CursorRequest {
  let baton: string | undefined;
  let batch: Buffer = empty;
  readFields(body, 'the body', (field) => {
    if (field.number === 1) baton = field.string();
    else if (field.number === 2) batch = field.bytes();
  });
  return { baton, steps: decodeProtobufBatch(batch, 'batch', new ElementBudget()) };
}

function decodeStreamRequest(message: Buffer, path: string, budget: ElementBudget): StreamRequest {
  let request: StreamRequest | undefined;
  readFields(message, path, (field) => {
    request = streamRequest(field, path, budget) ?? request;
  });
  if (!request) throw malformed(path, 'a stream request');
  return request;
}

/** Undefined for an unknown field. */
function streamRequest(field: ProtobufField, path: string, budget: ElementBudget): StreamRequest | undefined {
  switch (field.number) {
    case 1:
      field.bytes();
      return { type: 'close' };
    case 2:
      return { type: 'execute', statement: decodeStatement(only(field.bytes(), 1, path), `${path}.stmt`, budget) };
    case 3:
      return { type: 'batch', steps: decodeProtobufBatch(only(field.bytes(), 1, path), `${path}.batch`, budget) };
    case 4:
      return { type: 'sequence', text: decodeProtobufSqlText(field.bytes(), path, 1) };
    case 5:
      return { type: 'describe', text: decodeProtobufSqlText(field.bytes(), path, 1) };
    case 6:
      return { type: 'store_sql', ...decodeStoreSql(field.bytes(), path) };
    case 7:
      return { type: 'close_sql', sqlId: decodeSqlId(field.bytes(), path) };
    case 8:
      field.bytes();
      return { type: 'get_autocommit' };
    default:
      return undefined;
  }
}

/** The bytes of one field of a message that has only this one; empty when it is left out. */
function only(message: Buffer, number: number, path: string): Buffer {
  let content: Buffer = empty;
  readFields(message, path, (field) => {
    if (field.number === number) content = field.bytes();
  });
  return content;
}

/** `sql` and `sql_id` in the fields `firstField` and the next one. Throws MALFORMED_REQUEST. */
export function decodeProtobufSqlText(message: Buffer, path: string, firstField: number): SqlText {
  let sql: string | undefined;
  let sqlId: number | undefined;
  readFields(message, path, (field) => {
    if (field.number === firstField) sql = field.string();
    else if (field.number === firstField + 1) sqlId = field.int32();
  });
  return sqlText(sql, sqlId, path);
}

/** Throws MALFORMED_REQUEST. */
export function decodeStoreSql(message: Buffer, path: string): { readonly sqlId: number; readonly sql: string } {
  let sqlId = 0;
  let sql = '';
  readFields(message, path, (field) => {
    if (field.number === 1) sqlId = field.int32();
    else if (field.number === 2) sql = field.string();
  });
  return { sqlId, sql };
}

/** The number in field 1. Throws MALFORMED_REQUEST. */
export function decodeSqlId(message: Buffer, path: string): number {
  let sqlId = 0;
  readFields(message, path, (field) => {
    if (field.number === 1) sqlId = field.int32();
  });
  return sqlId;
}

/** A statement with its arguments. Throws MALFORMED_REQUEST. */
export function decodeStatement(message: Buffer, path: string, budget: ElementBudget): HranaStatement {
  let sql: string | undefined;
  let sqlId: number | undefined;
  let wantRows = true;
  const args: SqlValue[] = [];
  const namedArgs: NamedArgument[] = [];
  readFields(message, path, (field) => {
    switch (field.number) {
      case 1:
        sql = field.string();
        break;
      case 2:
        sqlId = field.int32();
        break;
      case 3:
        budget.take();
        args.push(decodeValue(field.bytes(), `${path}.args[${args.length}]`));
        break;
      case 4:
        budget.take();
        namedArgs.push(decodeNamedArgument(field.bytes(), `${path}.named_args[${namedArgs.length}]`));
        break;
      case 5:
        wantRows = field.bool();
        break;
    }
  });
  return { text: sqlText(sql, sqlId, path), args, namedArgs, wantRows };
}

function decodeNamedArgument(message: Buffer, path: string): NamedArgument {
  let name = '';
  let value: Buffer = empty;
  readFields(message, path, (field) => {
    if (field.number === 1) name = field.string();
    else if (field.number === 2) value = field.bytes();
  });
  return { name, value: decodeValue(value, `${path}.value`) };
}

function decodeValue(message: Buffer, path: string): SqlValue {
  let value: SqlValue | undefined;
  readFields(message, path, (field) => {
    switch (field.number) {
      case 1:
        field.bytes();
        value = null;
        break;
      case 2:
        value = field.sint64();
        break;
      case 3:
        value = field.double();
        break;
      case 4:
        value = field.string();
        break;
      case 5:
        value = field.bytes();
        break;
    }
  });
  if (value === undefined) throw malformed(path, 'a value');
  return value;
}

/** The steps of a batch. Throws MALFORMED_REQUEST, also for a condition on the step itself or a later one. */
export function decodeProtobufBatch(message: Buffer, path: string, budget: ElementBudget): BatchStep[] {
  const steps: BatchStep[] = [];
  readFields(message, path, (field) => {
    if (field.number !== 1) return;
    budget.take();
    steps.push(decodeStep(field.bytes(), steps.length, `${path}.steps[${steps.length}]`, budget));
  });
  return steps;
}

function decodeStep(message: Buffer, ownStep: number, path: string, budget: ElementBudget): BatchStep {
  let condition: BatchCondition | undefined;
  let statement: Buffer = empty;
  readFields(message, path, (field) => {
    if (field.number === 1) condition = decodeCondition(field.bytes(), ownStep, 1, `${path}.condition`, budget);
    else if (field.number === 2) statement = field.bytes();
  });
  return { condition, statement: decodeStatement(statement, `${path}.stmt`, budget) };
}

function decodeCondition(
  message: Buffer,
  ownStep: number,
  depth: number,
  path: string,
  budget: ElementBudget,
): BatchCondition {
  checkConditionDepth(depth);
  budget.take();
  const inner = (field: ProtobufField, place: string): BatchCondition =>
    decodeCondition(field.bytes(), ownStep, depth + 1, place, budget);
  const list = (field: ProtobufField): BatchCondition[] => {
    const conditions: BatchCondition[] = [];
    readFields(field.bytes(), path, (element) => {
      if (element.number === 1) conditions.push(inner(element, `${path}.conds[${conditions.length}]`));
    });
    return conditions;
  };
  let condition: BatchCondition | undefined;
  readFields(message, path, (field) => {
    switch (field.number) {
      case 1:
      case 2: {
        const step = field.uint32();
        checkEarlierStep(step, ownStep, `${path}.step`);
        condition = { type: field.number === 1 ? 'ok' : 'error', step };
        break;
      }
      case 3:
        condition = { type: 'not', condition: inner(field, `${path}.cond`) };
        break;
      case 4:
        condition = { type: 'and', conditions: list(field) };
        break;
      case 5:
        condition = { type: 'or', conditions: list(field) };
        break;
      case 6:
        field.bytes();
        condition = { type: 'is_autocommit' };
        break;
    }
  });
  if (!condition) throw malformed(path, 'a condition');
  return condition;
}
