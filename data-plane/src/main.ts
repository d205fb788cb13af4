/** Entry point of a data node process. */
import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { isByocError } from './errors/catalogue.js';
import { keepOutOfCoreDumps } from './node/core-dump.js';
import { configuredStores } from './node/node-stores.js';
import { startNode } from './node/start-node.js';
import { nodeSettings, SettingError } from './node/settings.js';
import { systemRuntime } from './runtime.js';

const fencedExitCode = 70;

async function main(): Promise<void> {
  const settings = nodeSettings(process.env);
  // Written at once: an asynchronous destination cannot be flushed at exit when nobody reads it any more.
  const log = pino({ name: 'data-node', level: settings.logLevel }, pino.destination({ dest: 1, sync: true }));
  const inDumps = keepOutOfCoreDumps();
  if (inDumps !== undefined) log.warn({ error: inDumps }, 'core dumps of this process would hold data keys');
  const packageFile = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(packageFile) as { version: string };

  const starting = startNode({
    settings,
    openStore: configuredStores(settings.stores, systemRuntime, (event, fields) => log.warn(fields, event)),
    version,
    log,
    onFenced: (cause) => {
      if (cause === undefined) log.fatal('another node has ended this epoch');
      else log.fatal({ err: cause }, 'this epoch cannot go on');
      process.exit(fencedExitCode);
    },
  });
  let stopping = false;
  const stop = (why: string): void => {
    if (stopping) return;
    stopping = true;
    log.info(why);
    starting
      .then(async (node) => node.stop())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.fatal({ err: error }, 'the node did not stop cleanly');
          process.exit(1);
        },
      );
  };
  process.once('SIGTERM', () => stop('asked to stop'));
  process.once('SIGINT', () => stop('asked to stop'));
  // Started by another process: without it, nobody is there to stop or restart this one.
  process.once('disconnect', () => process.exit(1));

  const node = await starting;
  process.send?.({ type: 'ready', httpPort: node.httpPort, adminPort: node.adminPort });
}

main().catch((error: unknown) => {
  if (error instanceof SettingError) process.stderr.write(`${error.message}\n`);
  else if (isByocError(error)) process.stderr.write(`${error.code}: ${error.message}\n${error.remedy}\n`);
  else
    process.stderr.write(
      `the data node could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  process.exit(1);
});
