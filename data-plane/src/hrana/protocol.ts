/** Requests of the Hrana protocol (HTTP, JSON), decoded. */
import type { SqlValue } from '../engine/adapters/adapter.js';

export interface NamedArgument {
  readonly name: string;
  readonly value: SqlValue;
}

/** SQL text, given or stored in the stream before. Exactly one of the two is set. */
export type SqlText = { readonly sql: string } | { readonly sqlId: number };

export interface HranaStatement {
  readonly text: SqlText;
  readonly args: readonly SqlValue[];
  readonly namedArgs: readonly NamedArgument[];
  readonly wantRows: boolean;
}

/** Steps are indexes of earlier steps of the same batch. */
export type BatchCondition =
  | { readonly type: 'ok' | 'error'; readonly step: number }
  | { readonly type: 'not'; readonly condition: BatchCondition }
  | { readonly type: 'and' | 'or'; readonly conditions: readonly BatchCondition[] }
  | { readonly type: 'is_autocommit' };

export interface BatchStep {
  readonly condition: BatchCondition | undefined;
  readonly statement: HranaStatement;
}

export type StreamRequest =
  | { readonly type: 'execute'; readonly statement: HranaStatement }
  | { readonly type: 'batch'; readonly steps: readonly BatchStep[] }
  | { readonly type: 'sequence' | 'describe'; readonly text: SqlText }
  | { readonly type: 'store_sql'; readonly sqlId: number; readonly sql: string }
  | { readonly type: 'close_sql'; readonly sqlId: number }
  | { readonly type: 'get_autocommit' }
  | { readonly type: 'close' };

export interface PipelineRequest {
  readonly baton: string | undefined;
  readonly requests: readonly StreamRequest[];
}

export interface CursorRequest {
  readonly baton: string | undefined;
  readonly steps: readonly BatchStep[];
}
