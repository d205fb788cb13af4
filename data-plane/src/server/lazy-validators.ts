import { Ajv, type ErrorObject, type Options } from 'ajv';
import type { FastifySchema, FastifySchemaCompiler } from 'fastify';

/**
 * Validators of routes that are compiled when their route is first asked for: a server has many routes, and compiling them
 * all takes most of its start. For `setValidatorCompiler`; `options` are Ajv's.
 */
export function lazyValidators(options: Options): FastifySchemaCompiler<FastifySchema> {
  const ajv = new Ajv({ ...options, addUsedSchema: false });
  return ({ schema }) => {
    const validate = (value: unknown): boolean => {
      const compiled = ajv.compile(schema);
      const isValid = compiled(value);
      // Fastify looks for the reasons on the function that it called.
      validate.errors = compiled.errors ?? null;
      return isValid;
    };
    validate.errors = null as ErrorObject[] | null;
    return validate;
  };
}
