/** Requests of the Hrana protocol, every kind of them, as fast-check makes them. */
import fc from 'fast-check';
import type { SqlValue } from '@turso-byoc/data-plane/engine/adapters/adapter.js';
import type {
  BatchCondition,
  BatchStep,
  HranaStatement,
  SqlText,
  StreamRequest,
} from '@turso-byoc/data-plane/hrana/protocol.js';

/** Text as it can be sent: no lone surrogates. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const sqlId = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  text,
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);

const sqlText: fc.Arbitrary<SqlText> = fc.oneof(
  text.map((sql) => ({ sql })),
  sqlId.map((id) => ({ sqlId: id })),
);

const statement: fc.Arbitrary<HranaStatement> = fc.record({
  text: sqlText,
  args: fc.array(value, { maxLength: 4 }),
  namedArgs: fc.array(fc.record({ name: text, value }), { maxLength: 3 }),
  wantRows: fc.boolean(),
});

/** Conditions of step `ownStep`, which look back. */
function condition(ownStep: number): fc.Arbitrary<BatchCondition> {
  const leaf: fc.Arbitrary<BatchCondition> = fc.oneof(
    fc.constant({ type: 'is_autocommit' as const }),
    ...(ownStep === 0
      ? []
      : [
          fc.record({
            type: fc.constantFrom('ok' as const, 'error' as const),
            step: fc.integer({ min: 0, max: ownStep - 1 }),
          }),
        ]),
  );
  return fc.letrec<{ condition: BatchCondition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ type: fc.constant('not' as const), condition: tie('condition') }),
      fc.record({
        type: fc.constantFrom('and' as const, 'or' as const),
        conditions: fc.array(tie('condition'), { maxLength: 3 }),
      }),
    ),
  })).condition;
}

export const batchSteps: fc.Arbitrary<BatchStep[]> = fc
  .integer({ min: 0, max: 4 })
  .chain((length) =>
    fc.tuple(
      ...Array.from({ length }, (_, step) =>
        fc.record({ condition: fc.option(condition(step), { nil: undefined }), statement }),
      ),
    ),
  );

export const streamRequest: fc.Arbitrary<StreamRequest> = fc.oneof(
  fc.record({ type: fc.constant('execute' as const), statement }),
  fc.record({ type: fc.constant('batch' as const), steps: batchSteps }),
  fc.record({ type: fc.constantFrom('sequence' as const, 'describe' as const), text: sqlText }),
  fc.record({ type: fc.constant('store_sql' as const), sqlId, sql: text }),
  fc.record({ type: fc.constant('close_sql' as const), sqlId }),
  fc.constant({ type: 'get_autocommit' as const }),
  fc.constant({ type: 'close' as const }),
);

export const baton: fc.Arbitrary<string | undefined> = fc.option(text, { nil: undefined });
