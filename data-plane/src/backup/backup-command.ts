/** `npm run backup -- take | list | verify | prune | restore`; exits with 1 when something is damaged, 2 when it could not be done. */
import { parseArgs } from 'node:util';
import type { DatabaseId } from '../identity.js';
import { configuredStores, zoneNames, type OpenStore, type StoreLocations } from '../node/node-stores.js';
import { failureText, runCommand, UsageError } from '../node/run-command.js';
import { storeLocations } from '../node/settings.js';
import { LateStore } from '../object-store/late-store.js';
import { StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import { openStore } from '../object-store/open-store.js';
import { parseStoreUrl } from '../object-store/store-url.js';
import { systemRuntime as runtime } from '../runtime.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { LogZone } from '../storage/log-store/log-zone.js';
import { QuorumLogStore } from '../storage/log-store/quorum-log-store.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { backupsOf } from './backup-origin.js';
import { completeBackups, readRecord } from './backup-record.js';
import { pruneBackups } from './prune-backups.js';
import { restoreBackup } from './restore-backup.js';
import { takeBackup, type BackupSummary } from './take-backup.js';
import { verifyBackup } from './verify-backup.js';

const usage = `usage: npm run backup -- <what> --backups <store> [options]

  take      copies the deployment as it stands into the backup store; only what is new since the latest backup is copied
  list      prints the backups in the store
  verify    reads a backup as a whole and proves it whole
  prune     deletes all but the latest backups, and what only they need
  restore   makes a deployment of a backup, in stores that are empty

--backups <store>   the backup store: file:///directory or s3://bucket/prefix?region=...&endpoint=...
--every <minutes>   take: again and again, until stopped
--keep <number>     take, prune: so many backups stay                                             [prune: 7; take: all]
--full              take: copies everything anew, also what the latest backup has
--backup <id>       verify, restore: which one                                                           [the latest]

The stores of the deployment, those of the one to be made with "restore", are found by the same environment variables as
those of a data node (docs/settings.md). Nodes go on while a backup is taken. It needs no key: what is sealed stays sealed,
and a restored deployment needs the keys of the first one.

Exit status: 0 done and whole, 1 a database is damaged (each is named), 2 it could not be done.
`;

const complain = (event: string, fields: Readonly<Record<string, unknown>>): void => {
  process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`);
};

interface Options {
  readonly every: number | undefined;
  readonly keep: number | undefined;
  readonly isFull: boolean;
  readonly backup: string | undefined;
}

function reportFault(database: DatabaseId, fault: string): void {
  process.stdout.write(`${database} DAMAGED\n  ${fault}\n`);
}

function showProgress(databases: number, of?: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${databases}${of === undefined ? '' : ` of ${of}`} databases`);
}

/** The log of the deployment, to be read: one zone may be away. */
async function openLog(locations: StoreLocations, open: OpenStore, dataStore: ObjectStore): Promise<LogStore> {
  if (locations.log.length === 1) return new SingleLogStore(runtime, await open('log'));
  const zones = await Promise.all(
    zoneNames.map(async (name) => {
      const store = await open(name).catch((error: unknown) => {
        if (!(error instanceof StoreUnavailableError)) throw error;
        complain('log zone cannot be used', { zone: name, why: error.message });
        return new LateStore(name);
      });
      return new LogZone(name, store);
    }),
  );
  return new QuorumLogStore({
    runtime,
    zones,
    dataStore,
    report: (zone, event) => complain('log zone', { zone, event }),
  });
}

async function take(backups: ObjectStore, { every, keep, isFull }: Options): Promise<number> {
  const locations = storeLocations(process.env);
  const open = configuredStores(locations, runtime, complain);
  const dataStore = await open('data');
  const input = {
    runtime,
    dataStore,
    logStore: await openLog(locations, open, dataStore),
    controlStore: await open('control'),
    destination: backups,
    isFull,
    progress: showProgress,
    report: reportFault,
  };
  const once = async (): Promise<BackupSummary> => {
    const summary = await takeBackup(input);
    const { id, databases, unchanged, damaged, copiedObjects, copiedBytes } = summary;
    process.stdout.write(
      `${process.stderr.isTTY ? '\n' : ''}backup ${id}: ${databases} databases, ${unchanged} unchanged, ${damaged} damaged, ` +
        `${copiedObjects} objects (${copiedBytes} bytes) copied\n`,
    );
    if (keep !== undefined) {
      const pruned = await pruneBackups(runtime, backups, keep);
      if (pruned.backups > 0)
        process.stdout.write(`${pruned.backups} old backups deleted, ${pruned.objects} objects\n`);
    }
    return summary;
  };
  if (every === undefined) return (await once()).damaged === 0 ? 0 : 1;
  for (;;) {
    const startedAtMs = runtime.monotonicMs();
    await once().catch((error: unknown) => {
      // The next one tries again; what was copied stays.
      process.stderr.write(`backup failed: ${failureText(error)}\n`);
    });
    await runtime.sleep(Math.max(0, startedAtMs + every * 60_000 - runtime.monotonicMs()));
  }
}

async function list(backups: ObjectStore): Promise<number> {
  const { deployment } = await backupsOf(runtime, backups);
  process.stdout.write(`backups of deployment ${deployment}\n`);
  for (const id of await completeBackups(runtime, backups)) {
    const { startedAtMs, completedAtMs, databases } = await readRecord(runtime, backups, id);
    const seconds = ((completedAtMs - startedAtMs) / 1_000).toFixed(1);
    process.stdout.write(
      `${id}  ${new Date(startedAtMs).toISOString()}  ${databases} databases, taken in ${seconds} s\n`,
    );
  }
  return 0;
}

async function chosen(backups: ObjectStore, { backup }: Options): Promise<string> {
  await backupsOf(runtime, backups);
  const all = await completeBackups(runtime, backups);
  const id = backup ?? all.at(-1);
  if (id === undefined) throw new UsageError('the store holds no complete backup');
  if (!all.includes(id)) throw new UsageError(`there is no backup ${id}; "list" prints those that there are`);
  return id;
}

async function verify(backups: ObjectStore, options: Options): Promise<number> {
  const id = await chosen(backups, options);
  const { databases, damaged, objects, bytes } = await verifyBackup(runtime, backups, id, reportFault);
  process.stdout.write(
    `backup ${id}: ${databases} databases, ${damaged} damaged, ${objects} objects, ${bytes} bytes\n`,
  );
  return damaged === 0 ? 0 : 1;
}

async function prune(backups: ObjectStore, { keep = 7 }: Options): Promise<number> {
  await backupsOf(runtime, backups);
  const pruned = await pruneBackups(runtime, backups, keep);
  process.stdout.write(`${pruned.backups} backups deleted, ${pruned.objects} objects\n`);
  return 0;
}

async function restore(backups: ObjectStore, options: Options): Promise<number> {
  const backup = await chosen(backups, options);
  const locations = storeLocations(process.env);
  const open = configuredStores(locations, runtime, complain);
  const logs = locations.log.length > 1 ? zoneNames : (['log'] as const);
  const { deployment, databases, damaged, copiedBytes } = await restoreBackup({
    runtime,
    backups,
    backup,
    dataStore: await open('data'),
    logStores: await Promise.all(logs.map(async (name) => open(name))),
    controlStore: await open('control'),
    progress: showProgress,
    report: reportFault,
  });
  process.stdout.write(
    `${process.stderr.isTTY ? '\n' : ''}deployment ${deployment} restored from backup ${backup}: ${databases} databases, ` +
      `${damaged} damaged, ${copiedBytes} bytes\n`,
  );
  return damaged === 0 ? 0 : 1;
}

const commands: Readonly<Record<string, (backups: ObjectStore, options: Options) => Promise<number>>> = {
  take,
  list,
  verify,
  prune,
  restore,
};

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new UsageError(`--${name} must be a positive number, not ${text}`);
  return value;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      backups: { type: 'string' },
      every: { type: 'string' },
      keep: { type: 'string' },
      full: { type: 'boolean' },
      backup: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const command = commands[positionals[0] ?? ''];
  if (values.help || !command || positionals.length > 1) {
    process.stdout.write(usage);
    return values.help ? 0 : 2;
  }
  if (values.backups === undefined) throw new UsageError('--backups is missing');
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] || process.env['AWS_ENDPOINT_URL'] || undefined;
  const backups = await openStore(parseStoreUrl(values.backups, 'backup', endpoint), {
    runtime,
    needs: ['readAfterWrite', 'rangeRead', 'createIfAbsent', 'replaceIfUnchanged', 'orderedList', 'delete'],
    report: complain,
  });
  const keep = positive('keep', values.keep);
  if (keep !== undefined && !Number.isInteger(keep)) throw new UsageError('--keep must be a whole number');
  return command(backups, {
    every: positive('every', values.every),
    keep,
    isFull: values.full ?? false,
    backup: values.backup,
  });
}

runCommand(main, 2);
