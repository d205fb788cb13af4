import { ByocError } from '../errors/catalogue.js';
import { SettingError } from './settings.js';
import { StoreUnavailableError } from '../object-store/object-store.js';
import { StoreUrlError } from '../object-store/store-url.js';

/** The command was called wrongly; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a person is told of an error: what and, where it is known, what to do about it. Where it broke only when it must not have. */
export function failureText(error: unknown): string {
  if (error instanceof ByocError) return `${error.code}: ${error.message}\n${error.remedy}`;
  if (!(error instanceof Error)) return String(error);
  const isExpected =
    error instanceof UsageError ||
    error instanceof SettingError ||
    error instanceof StoreUrlError ||
    error instanceof StoreUnavailableError ||
    // Of the command line's parser, or of the file system.
    'code' in error;
  return isExpected ? error.message : (error.stack ?? error.message);
}

/** Runs a command and ends the process with what it returns; with `failed` after a failure, which is printed. */
export function runCommand(main: () => Promise<number>, failed: number): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${failureText(error)}\n`);
      process.exit(failed);
    },
  );
}
