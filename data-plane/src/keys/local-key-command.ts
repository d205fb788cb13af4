/**
 * Command line of the local key service:
 *
 *   npm run local-key -- list | create <id> | enable <id> | disable <id> | schedule-deletion <id>  [--directory <path>]
 *
 * Exit status 0, or 1 with a message.
 */
import { parseArgs } from 'node:util';
import type { KeyState } from './key-service.js';
import { createKey, listKeys, setKeyState } from './local-key-service.js';

const defaultDirectory = '.turso-byoc/keys';
const usage =
  'usage: local-key list | create <id> | enable <id> | disable <id> | schedule-deletion <id>  [--directory <path>]';

const stateCommands = new Map<string, KeyState>([
  ['enable', 'enabled'],
  ['disable', 'disabled'],
  ['schedule-deletion', 'pending-deletion'],
]);

/** Runs one command; returns what to print. Throws an `Error` whose message the operator can act on. */
async function run(args: string[]): Promise<string> {
  const { values, positionals } = parseArgs({
    args,
    options: { directory: { type: 'string', default: defaultDirectory } },
    allowPositionals: true,
  });
  const [command = '', id, ...rest] = positionals;
  const { directory } = values;
  if (command === 'list' && id === undefined) {
    const keys = await listKeys(directory);
    return keys.map((key) => `${key.id}\t${key.state}\t${new Date(key.createdAtMs).toISOString()}\n`).join('');
  }
  const state = stateCommands.get(command);
  if (id === undefined || rest.length > 0 || (state === undefined && command !== 'create')) throw new Error(usage);
  if (state === undefined) await createKey(directory, id, Date.now());
  else await setKeyState(directory, id, state);
  return '';
}

try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`local-key: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
