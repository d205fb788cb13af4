import type { SqlValue } from '../engine/adapters/adapter.js';
import { ByocError } from '../errors/catalogue.js';
import type { HranaStatement, NamedArgument } from './protocol.js';

const prefix = /^[:@$]/;

/**
 * The values for `parameters` (see `StatementPlan.parameters`) in index order. Throws ARGS_BOTH_POSITIONAL_AND_NAMED
 * and ARGS_INVALID: a statement gets exactly one value for each parameter, never a silent NULL.
 */
export function bindArguments(
  parameters: readonly (string | null)[],
  { args, namedArgs }: Pick<HranaStatement, 'args' | 'namedArgs'>,
): readonly SqlValue[] {
  if (namedArgs.length === 0) {
    if (args.length !== parameters.length) throw wrongCount(parameters.length, args.length);
    return args;
  }
  if (args.length > 0) {
    throw new ByocError(
      'ARGS_BOTH_POSITIONAL_AND_NAMED',
      'a statement takes either positional or named arguments, not both',
    );
  }
  if (namedArgs.length > parameters.length) throw wrongCount(parameters.length, namedArgs.length);
  return bindByName(parameters, namedArgs);
}

function bindByName(parameters: readonly (string | null)[], namedArgs: readonly NamedArgument[]): SqlValue[] {
  const values = new Map<string, SqlValue>();
  for (const { name, value } of namedArgs) values.set(name.replace(prefix, ''), value);
  let used = 0;
  const bound = parameters.map((parameter, index) => {
    if (parameter === null || parameter.startsWith('?')) {
      throw new ByocError('ARGS_INVALID', `parameter ${index + 1} has no name and takes a positional argument`);
    }
    const value = values.get(parameter.slice(1));
    if (value === undefined) throw new ByocError('ARGS_INVALID', `no argument for the parameter ${parameter}`);
    used++;
    return value;
  });
  if (used < values.size) throw wrongCount(parameters.length, values.size);
  return bound;
}

function wrongCount(expected: number, given: number): ByocError {
  return new ByocError('ARGS_INVALID', `the statement has ${expected} parameters, ${given} arguments were given`);
}
