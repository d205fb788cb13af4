/**
 * Which deployment the zones of a log belong to. Every zone carries the identity, and says that it is a zone.
 *
 * - The first start of a deployment needs all three zones. The first zone decides the identity, the data store gets it
 *   last, so that a start that ended in the middle is completed by the next one.
 * - Later two zones that carry it are enough. A third that is empty replaced a lost one and is taken, but only in a place
 *   where no zone of this deployment ever was: an epoch that stalled writes to the places that it knows, and must not find
 *   a bucket there that has forgotten a seal.
 * - Everything else is refused: another deployment's zone, a log in one bucket, a bucket in use for something else.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { deploymentId, hasContent, recordedDeployment } from './deployment.js';
import { logZoneName } from './object-names.js';

/** A zone that could be opened. */
export interface ZonePlace {
  readonly name: string;
  /** Where it is, in words that never change for the same bucket and prefix. */
  readonly place: string;
  readonly store: ObjectStore;
}

/**
 * The deployment of a data store and of those zones of its log that are there. Throws `STORE_MISCONFIGURED` when they do
 * not belong together, and `STORE_UNAVAILABLE` when too few zones are there.
 *
 * @param missing - Why the other zones are not there.
 */
export async function deploymentOfZones(
  runtime: Runtime,
  dataStore: ObjectStore,
  zones: readonly ZonePlace[],
  missing: readonly string[],
): Promise<string> {
  const data = await recordedDeployment(runtime, dataStore);
  const deployment = data?.id ?? (await firstStart(runtime, dataStore, zones, missing));
  const isEmpty = await Promise.all(zones.map(async (zone) => isUnmarked(runtime, zone, deployment)));
  const carriers = zones.filter((_, index) => !isEmpty[index]);
  if (carriers.length < 2) {
    const why = [...missing, ...zones.filter((zone) => !carriers.includes(zone)).map(({ name }) => `${name} is empty`)];
    throw new ByocError(
      missing.length > 0 ? 'STORE_UNAVAILABLE' : 'STORE_MISCONFIGURED',
      `two zones of the log must belong to deployment ${deployment}: ${why.join('; ')}`,
    );
  }
  await Promise.all(carriers.map(async (zone) => register(runtime, dataStore, zone)));
  return deployment;
}

/**
 * Takes a zone into use whose two others are in use: one that carries the identity, or an empty one in a new place. Throws
 * `STORE_MISCONFIGURED`.
 */
export async function admitZone(
  runtime: Runtime,
  dataStore: ObjectStore,
  deployment: string,
  zone: ZonePlace,
): Promise<void> {
  if (await isUnmarked(runtime, zone, deployment)) {
    const name = logZoneName(zone.place);
    if ((await readWithRetry(runtime, name, () => dataStore.get(name))) !== undefined) {
      throw refusal(`${zone.name} (${zone.place}) was in use and is empty now; give the zone another prefix or bucket`);
    }
    await deploymentId(runtime, zone.store, { id: deployment, isZone: true });
  }
  await register(runtime, dataStore, zone);
}

async function firstStart(
  runtime: Runtime,
  dataStore: ObjectStore,
  zones: readonly ZonePlace[],
  missing: readonly string[],
): Promise<string> {
  if (missing.length > 0) {
    throw new ByocError(
      'STORE_UNAVAILABLE',
      `the first start of a deployment needs all three zones of the log: ${missing.join('; ')}`,
    );
  }
  if (await hasContent(runtime, dataStore)) {
    // Unless another node finished its first start in between.
    const data = await recordedDeployment(runtime, dataStore);
    if (data) return data.id;
    throw refusal('the data store holds objects, but no deployment record');
  }
  let id: string | undefined;
  for (const zone of zones) {
    const found = await deploymentId(runtime, zone.store, { ...(id !== undefined && { id }), isZone: true });
    if (id !== undefined && found !== id)
      throw refusal(`${zone.name} belongs to deployment ${found}, another to ${id}`);
    id = found;
  }
  return deploymentId(runtime, dataStore, { ...(id !== undefined && { id }) });
}

/** Whether a zone is empty. Throws `STORE_MISCONFIGURED` when it is anything but empty or a zone of the deployment. */
async function isUnmarked(runtime: Runtime, { name, store }: ZonePlace, deployment: string): Promise<boolean> {
  const found = await recordedDeployment(runtime, store);
  if (found && found.id !== deployment) {
    throw refusal(`${name} belongs to deployment ${found.id}, the data store to ${deployment}`);
  }
  if (found && !found.isZone) throw refusal(`${name} holds the whole log of deployment ${found.id}, in one bucket`);
  if (found) return false;
  if (await hasContent(runtime, store)) throw refusal(`${name} holds objects, but no deployment record`);
  return true;
}

async function register(runtime: Runtime, dataStore: ObjectStore, { place }: ZonePlace): Promise<void> {
  await conditionalWrite(runtime, dataStore, logZoneName(place), Buffer.from(place), { ifAbsent: true });
}

function refusal(sentence: string): ByocError {
  return new ByocError('STORE_MISCONFIGURED', `${sentence}; is its place, bucket or prefix, right?`);
}
