import { ByocError } from '../errors/catalogue.js';
import { probePrefix } from '../object-store/capability-probe.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { listKeys } from './list-keys.js';
import { deploymentRecordName } from './object-names.js';
import { StoredJson } from './stored-json.js';

export interface DeploymentRecord {
  readonly id: string;
  /** The store is one of three zones of a log. */
  readonly isZone?: true;
}

const storedDeployment = new StoredJson<DeploymentRecord>('turso-byoc/deployment/1', {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^[0-9a-f]{32}$' }, isZone: { const: true } },
  required: ['id'],
  additionalProperties: false,
});

/**
 * The identity of the deployment that a data store and a log store belong to: made once, part of everything that is
 * sealed. Both stores carry it, so that a store under a wrong prefix, or of another deployment, is refused instead of
 * being read as an empty one. Nodes that start together on empty stores agree on one.
 *
 * The log store gets its record first. A data store with a record beside a log store without one is therefore never an
 * unfinished first start.
 *
 * Throws `STORE_MISCONFIGURED` when the two do not belong together, or one is in use and has no record.
 */
export async function deploymentOf(runtime: Runtime, dataStore: ObjectStore, logStore: ObjectStore): Promise<string> {
  const refuse = (sentence: string): never => {
    throw new ByocError('STORE_MISCONFIGURED', `${sentence}; is its place, bucket or prefix, right?`);
  };
  for (;;) {
    const data = (await recordedDeployment(runtime, dataStore))?.id;
    const logRecord = await recordedDeployment(runtime, logStore);
    if (logRecord?.isZone) return refuse('the log store is one of three zones; name all three');
    const log = logRecord?.id;
    if (data !== undefined) {
      if (log === undefined) return refuse(`the log store does not belong to the deployment ${data} of the data store`);
      if (log !== data) return refuse(`the log store belongs to deployment ${log}, the data store to ${data}`);
      return data;
    }
    const inUse = (await hasContent(runtime, dataStore))
      ? 'the data store holds objects, but no deployment record'
      : (await hasContent(runtime, logStore))
        ? 'the log store is in use, but the data store is empty'
        : undefined;
    if (inUse !== undefined) {
      // Unless another node finished its first start in between.
      if ((await recordedDeployment(runtime, dataStore)) === undefined) return refuse(inUse);
      continue;
    }
    return deploymentId(runtime, dataStore, { id: log ?? (await deploymentId(runtime, logStore)) });
  }
}

/** The identity that a store carries; one without gets the proposed one, or a new one. */
export async function deploymentId(
  runtime: Runtime,
  store: ObjectStore,
  proposed: Partial<DeploymentRecord> = {},
): Promise<string> {
  const found = await recordedDeployment(runtime, store);
  if (found !== undefined) return found.id;
  const record = { id: runtime.randomBytes(16).toString('hex'), ...proposed };
  const written = await conditionalWrite(runtime, store, deploymentRecordName, storedDeployment.encode(record), {
    ifAbsent: true,
  });
  if (written.won) return record.id;
  if (!written.current) throw new Error('the deployment record vanished');
  return storedDeployment.decode(deploymentRecordName, written.current.body).id;
}

/** What a store says of itself; undefined when it says nothing. */
export async function recordedDeployment(runtime: Runtime, store: ObjectStore): Promise<DeploymentRecord | undefined> {
  const found = await readWithRetry(runtime, deploymentRecordName, () => store.get(deploymentRecordName));
  return found && storedDeployment.decode(deploymentRecordName, found.body);
}

/** Whether a store holds anything but its deployment record and what probes left. */
export async function hasContent(runtime: Runtime, store: ObjectStore): Promise<boolean> {
  for await (const key of listKeys(runtime, store, '')) {
    if (key !== deploymentRecordName && !key.startsWith(probePrefix)) return true;
  }
  return false;
}
