/** Requests as a client would write them in JSON: what `decode-request.ts` reads. */
import { encodeValue, quote } from './encode-value.js';
import type { BatchCondition, BatchStep, HranaStatement, SqlText, StreamRequest } from './protocol.js';

export function encodeJsonPipeline(baton: string | undefined, request: StreamRequest): Buffer {
  return Buffer.from(`{"baton":${batonText(baton)},"requests":[${requestText(request)}]}`);
}

export function encodeJsonCursor(baton: string | undefined, steps: readonly BatchStep[]): Buffer {
  return Buffer.from(`{"baton":${batonText(baton)},"batch":${batchText(steps)}}`);
}

function batonText(baton: string | undefined): string {
  return baton === undefined ? 'null' : quote(baton);
}

function requestText(request: StreamRequest): string {
  const { type } = request;
  switch (type) {
    case 'execute':
      return `{"type":"execute","stmt":${statementText(request.statement)}}`;
    case 'batch':
      return `{"type":"batch","batch":${batchText(request.steps)}}`;
    case 'sequence':
    case 'describe':
      return `{"type":"${type}",${sqlFields(request.text)}}`;
    case 'store_sql':
      return `{"type":"store_sql","sql_id":${request.sqlId},"sql":${quote(request.sql)}}`;
    case 'close_sql':
      return `{"type":"close_sql","sql_id":${request.sqlId}}`;
    case 'get_autocommit':
    case 'close':
      return `{"type":"${type}"}`;
  }
}

function batchText(steps: readonly BatchStep[]): string {
  const texts = steps.map(({ condition, statement }) => {
    const before = condition === undefined ? '' : `"condition":${conditionText(condition)},`;
    return `{${before}"stmt":${statementText(statement)}}`;
  });
  return `{"steps":[${texts.join(',')}]}`;
}

function statementText({ text, args, namedArgs, wantRows }: HranaStatement): string {
  const named = namedArgs.map(({ name, value }) => `{"name":${quote(name)},"value":${encodeValue(value)}}`);
  return (
    `{${sqlFields(text)},"args":[${args.map(encodeValue).join(',')}],` +
    `"named_args":[${named.join(',')}],"want_rows":${wantRows}}`
  );
}

function sqlFields(text: SqlText): string {
  return 'sql' in text ? `"sql":${quote(text.sql)}` : `"sql_id":${text.sqlId}`;
}

function conditionText(condition: BatchCondition): string {
  const { type } = condition;
  switch (type) {
    case 'ok':
    case 'error':
      return `{"type":"${type}","step":${condition.step}}`;
    case 'not':
      return `{"type":"not","cond":${conditionText(condition.condition)}}`;
    case 'and':
    case 'or':
      return `{"type":"${type}","conds":[${condition.conditions.map(conditionText).join(',')}]}`;
    case 'is_autocommit':
      return '{"type":"is_autocommit"}';
  }
}
