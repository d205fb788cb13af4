import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly quick: boolean;
  /** Names of cases; all of them when it is empty. */
  readonly only: readonly string[];
  /** Where the data of the run lies: on the disk to be measured. */
  readonly directory: string | undefined;
  /** Results file to write, beside the page that is made of it. */
  readonly write: string | undefined;
  /** Only make the page again, from the results files in this directory. */
  readonly render: string | undefined;
  readonly help: boolean;
}

/** The options of the command line are not as they should be; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Throws `UsageError`. */
export function parseCommandLine(args: readonly string[], caseNames: readonly string[]): BenchOptions {
  const { quick, only, directory, write, render, help } = parse(args);
  for (const name of only) {
    if (!caseNames.includes(name))
      throw new UsageError(`there is no case "${name}"; there are: ${caseNames.join(', ')}`);
  }
  if (write !== undefined && !write.endsWith('.json')) throw new UsageError('--write takes the name of a .json file');
  if (render !== undefined && (write !== undefined || quick || only.length > 0)) {
    throw new UsageError('--render measures nothing, so it takes no other option');
  }
  return { quick, only, directory, write, render, help };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        directory: { type: 'string' },
        write: { type: 'string' },
        render: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values as BenchOptions;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** What `--help` prints. */
export function usage(cases: readonly { readonly name: string; readonly title: string }[]): string {
  const width = Math.max(...cases.map(({ name }) => name.length));
  return `Measures a data node on this machine, beside a bare HTTP server, the engine alone, and PostgreSQL where it is installed.

  npm run bench -- [options]

  --quick             a small fixed budget, under a minute
  --only <case>       only this case; may be repeated
  --directory <path>  where the data lies during the run (default: the directory for temporary files)
  --write <file>      write the results to this .json file and make the README.md beside it again;
                      otherwise they go to a temporary file
  --render <path>     measure nothing; make <path>/README.md again from the results files there
  --help              this text

Cases:
${cases.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`).join('\n')}

The targets are printed with the figures; missing one is not a failure of the command.
`;
}
