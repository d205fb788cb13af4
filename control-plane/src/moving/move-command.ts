/** `npm run move`: exits with 1 when some database was not moved, 2 when nothing could be done. */
import { parseArgs } from 'node:util';
import { runCommand, UsageError } from '@turso-byoc/data-plane/node/run-command.js';
import { MoveState } from './move-state.js';
import { moveDatabases } from './move-databases.js';
import { PlaceInvalid, readPlace, type Place, type PlacedDatabase } from './place.js';
import { PlatformPlace } from './platform-place.js';
import { SinglePlace } from './single-place.js';

const usage = `usage: npm run move -- --from FILE --to FILE [options]

Copies databases from an organization of Turso Cloud, a deployment, or any server of SQL over HTTP into another one: groups,
schema, rows. Compares both sides row by row. Goes on where it was interrupted when it is run again.

--from FILE        where they are: JSON with apiUrl, organization, token (https://api.turso.tech is Turso Cloud's), or with
--to FILE          url, name, token for one database. local.json of "npm start" is such a file. docs/migrate.md
--database NAME    only this one; may be given more than once  [all]
--group NAME       only those of this group
--freeze           stops writes at the source (block_writes) before a database is copied, for good
--unfreeze         allows writes at the source again, and does nothing else
--access FILE      gets a line of JSON for each database: name, address, a new token
--at-once N        databases at one time  [4]
--state FILE       what is done so far  [turso-byoc-move.json]
--dry-run          prints what would be moved

Exit status: 0 all are there and equal, 1 some are not, 2 it could not be done.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      database: { type: 'string', multiple: true, default: [] },
      group: { type: 'string' },
      freeze: { type: 'boolean', default: false },
      unfreeze: { type: 'boolean', default: false },
      access: { type: 'string' },
      'at-once': { type: 'string', default: '4' },
      state: { type: 'string', default: 'turso-byoc-move.json' },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.from === undefined || values.to === undefined) throw new UsageError(usage);
  const atOnce = Number(values['at-once']);
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > 64)
    throw new UsageError('--at-once takes a number from 1 to 64');
  const [from, to] = await Promise.all([open(values.from), open(values.to)]);
  const databases = chosen(await from.list(), values.database, values.group);
  const report = (line: string): void => void process.stdout.write(`${line}\n`);
  if (values['dry-run']) {
    for (const { name, group } of databases) report(`${name} (group ${group})`);
    report(`${databases.length} databases from ${from.title} to ${to.title}`);
    return 0;
  }
  if (values.unfreeze) {
    for (const { name } of databases) await from.setFrozen(name, false);
    report(`${databases.length} databases at ${from.title} take writes again`);
    return 0;
  }
  const { moved, before, failures } = await moveDatabases({
    from,
    to,
    databases,
    state: await MoveState.open(values.state, `${from.title} to ${to.title}`),
    freezes: values.freeze,
    atOnce,
    accessFile: values.access,
    report,
  });
  report(`${moved} moved, ${before} were there from before, ${failures.length} failed`);
  return failures.length === 0 ? 0 : 1;
}

async function open(file: string): Promise<Place> {
  try {
    const description = await readPlace(file);
    return description.kind === 'platform' ? new PlatformPlace(description) : new SinglePlace(description);
  } catch (error) {
    throw error instanceof PlaceInvalid ? new UsageError(error.message) : error;
  }
}

/** Throws `UsageError` for a name that is not there. */
function chosen(
  all: readonly PlacedDatabase[],
  names: readonly string[],
  group: string | undefined,
): readonly PlacedDatabase[] {
  for (const name of names) {
    if (!all.some((each) => each.name === name)) throw new UsageError(`there is no database ${name} to move`);
  }
  return all.filter(
    (each) => (names.length === 0 || names.includes(each.name)) && (group === undefined || each.group === group),
  );
}

runCommand(main, 2);
