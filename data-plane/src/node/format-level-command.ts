/** `npm run format-level -- --show | --raise`: which versions of the stored formats the nodes of a deployment may write. */
import { nodesNotEnded, raiseFormatLevel } from '../ownership/raise-format-level.js';
import { systemRuntime } from '../runtime.js';
import { newestFormatLevel } from '../storage/format-level.js';
import { readFormatLevel } from '../storage/format-level-record.js';
import { configuredStores } from './node-stores.js';
import { runCommand } from './run-command.js';
import { storeLocations } from './settings.js';

const usage = `usage: npm run format-level -- --show | --raise

The format level of a deployment says which versions of the stored formats its nodes may write.

--show   prints it, and what each node reads
--raise  raises it to the highest level that this release knows, when every node that has not ended reads it

There is no way back after a raise: nodes of an earlier release do not start any more.

The stores are found by the same environment variables as those of a data node (docs/settings.md).
`;

async function main(argument: string | undefined): Promise<number> {
  if (argument !== '--show' && argument !== '--raise') {
    process.stdout.write(usage);
    return argument === '--help' ? 0 : 2;
  }
  const open = configuredStores(storeLocations(process.env), systemRuntime, (event, fields) =>
    process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  );
  const store = await open('data');
  if (argument === '--raise') {
    const { level } = await raiseFormatLevel(systemRuntime, store);
    process.stdout.write(
      `The format level is ${level} now. There is no way back: earlier releases do not start any more.\n` +
        'Nodes write the new formats from when they learn of it: after four beats, 2 s by default.\n',
    );
    return 0;
  }
  const { level, raisingTo } = (await readFormatLevel(systemRuntime, store)).record;
  process.stdout.write(`format level                ${level}\nhighest of this release     ${newestFormatLevel}\n`);
  for (const { epoch, address, formatLevel } of await nodesNotEnded(systemRuntime, store)) {
    const where = address ? `${address.host}:${address.httpPort}` : 'starting';
    process.stdout.write(`node ${epoch}  reads up to ${formatLevel}  ${where}\n`);
  }
  if (raisingTo !== undefined) {
    process.stdout.write(
      `A raise to ${raisingTo} is under way. If it was interrupted, --raise finishes or undoes it.\n`,
    );
  }
  return 0;
}

runCommand(async () => main(process.argv[2]), 1);
