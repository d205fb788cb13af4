import { isControlPlaneError } from '../errors/catalogue.js';
import { exitCodeConfiguration } from '../exit-codes.js';

/** The command was called wrongly; the message says how it is called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Runs a command and ends the process: with 0, or after a failure, which is printed with its remedy. */
export function runCommand(main: () => Promise<void>): void {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${failureText(error)}\n`);
      const isCall = error instanceof UsageError || isControlPlaneError(error, 'SETTING_INVALID');
      process.exit(isCall ? exitCodeConfiguration : 1);
    },
  );
}

function failureText(error: unknown): string {
  if (isControlPlaneError(error)) return `${error.code}: ${error.message}\n${error.remedy}`;
  if (!(error instanceof Error)) return String(error);
  return error instanceof UsageError ? error.message : (error.stack ?? error.message);
}
