import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { withDefaults } from './defaults.js';
import type { DeploymentConfiguration, ResolvedConfiguration } from './deployment-configuration.js';
import { schemaFile } from './schema-file.js';
import { allRules } from './rules/all-rules.js';
import type { Problem } from './rule.js';

/** A configuration that cannot be built; the message lists every problem, one a line. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly problems: readonly Problem[]) {
    super(
      `the configuration cannot be built:\n${problems
        .map(({ code, path, message }) => `  ${code} ${path === '' ? '' : `at ${path}: `}${message}`)
        .join('\n')}`,
    );
  }
}

/**
 * Everything that is wrong with what somebody wrote. Rules between fields are tried only where the shape is right.
 */
export function problemsOf(configuration: unknown): readonly Problem[] {
  const validate = shapeValidator();
  if (!validate(configuration)) return (validate.errors ?? []).flatMap(shapeProblem);
  const resolved = withDefaults(configuration);
  return allRules.flatMap(({ code, broken }) => broken(resolved).map((breach) => ({ code, ...breach })));
}

/** The configuration with its defaults. Throws `ConfigurationError`. */
export function validateConfiguration(configuration: unknown): ResolvedConfiguration {
  const problems = problemsOf(configuration);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return withDefaults(configuration as DeploymentConfiguration);
}

let compiled: ValidateFunction<DeploymentConfiguration> | undefined;

function shapeValidator(): ValidateFunction<DeploymentConfiguration> {
  compiled ??= new Ajv({ allErrors: true, discriminator: true, strictTypes: false }).compile<DeploymentConfiguration>(
    JSON.parse(readFileSync(schemaFile, 'utf8')) as object,
  );
  return compiled;
}

function shapeProblem(error: ErrorObject): readonly Problem[] {
  const path = error.instancePath
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
  return [{ code: 'SHAPE', path, message: shapeMessage(error) }];
}

function shapeMessage({ keyword, params, message }: ErrorObject): string {
  const given = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case 'required':
      return `${String(given['missingProperty'])} is missing; docs/configuration.md says what it means`;
    case 'additionalProperties':
      return `${String(given['additionalProperty'])} is no setting; correct its spelling or remove it`;
    case 'enum':
      return `must be one of ${(given['allowedValues'] as readonly unknown[]).map(String).join(', ')}`;
    case 'discriminator':
      return `${String(given['tag'])} ${JSON.stringify(given['tagValue'])} is unknown; docs/configuration.md lists the alternatives`;
    default:
      return `${message ?? keyword}; docs/configuration.md says what it takes`;
  }
}
