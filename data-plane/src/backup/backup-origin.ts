/**
 * What a store holds backups of. Names of objects are unique within a deployment and all that is restored from it goes its
 * own way, so backups of the two must not share a store.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import { recordedDeployment } from '../storage/deployment.js';
import { StoredJson } from '../storage/stored-json.js';
import { backupOriginName, restoredName } from './backup-names.js';

export interface BackupOrigin {
  readonly deployment: string;
  /** Of a deployment that was restored: which restore that was. */
  readonly restore?: string;
}

const storedOrigin = new StoredJson<BackupOrigin>('turso-byoc/backup-origin/1', {
  type: 'object',
  properties: { deployment: { type: 'string', pattern: '^[0-9a-f]{32}$' }, restore: { type: 'string' } },
  required: ['deployment'],
  additionalProperties: false,
});

/** What a data store is, for its backups. Throws `STORE_MISCONFIGURED` when no deployment is there. */
export async function originOf(runtime: Runtime, dataStore: ObjectStore): Promise<BackupOrigin> {
  const deployment = (await recordedDeployment(runtime, dataStore))?.id;
  if (deployment === undefined) {
    throw new ByocError('STORE_MISCONFIGURED', 'the data store holds no deployment; is its place right?');
  }
  const restored = await read(runtime, dataStore, restoredName);
  return restored ?? { deployment };
}

/** Notes in a data store that it was restored, so that its backups go elsewhere. */
export async function markRestored(runtime: Runtime, dataStore: ObjectStore, origin: BackupOrigin): Promise<void> {
  await conditionalWrite(runtime, dataStore, restoredName, storedOrigin.encode(origin), { ifAbsent: true });
}

/** Makes the store one for backups of this origin. Throws `STORE_MISCONFIGURED` when it is one of another. */
export async function claimForBackups(runtime: Runtime, store: ObjectStore, origin: BackupOrigin): Promise<void> {
  await conditionalWrite(runtime, store, backupOriginName, storedOrigin.encode(origin), { ifAbsent: true });
  const found = await backupsOf(runtime, store);
  if (found.deployment === origin.deployment && found.restore === origin.restore) return;
  const what = found.deployment === origin.deployment ? 'before it was restored' : `, ${found.deployment}`;
  throw new ByocError('STORE_MISCONFIGURED', `the backup store holds backups of another deployment${what}`);
}

/** Throws `STORE_MISCONFIGURED` when the store is none for backups. */
export async function backupsOf(runtime: Runtime, store: ObjectStore): Promise<BackupOrigin> {
  const found = await read(runtime, store, backupOriginName);
  if (found) return found;
  throw new ByocError('STORE_MISCONFIGURED', 'the store holds no backups; is its place right?');
}

async function read(runtime: Runtime, store: ObjectStore, key: string): Promise<BackupOrigin | undefined> {
  const object = await readWithRetry(runtime, key, () => store.get(key));
  return object && storedOrigin.decode(key, object.body);
}
