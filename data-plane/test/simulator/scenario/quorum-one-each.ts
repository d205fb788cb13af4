import { logCopyName } from '@turso-byoc/data-plane/storage/object-names.js';
import type { NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import type { StoreRequest } from '../store/store-link.js';
import { Stage } from './stage.js';

const zones = ['log-1', 'log-2', 'log-3'] as const;

/**
 * A log in three zones ends where one zone has the entry, one a seal, and the third is gone. The entry counts: whether the
 * third zone confirmed it cannot be told. It is copied to the data store, and read from there when its zone is lost, too.
 */
export async function playOneEntryOneSealOneGone(seed: number): Promise<readonly string[]> {
  const stage = new Stage({ seed, hasZones: true });
  const [a, b, c] = [0, 1, 2].map((index) => stage.logStore(zones[(index + seed) % 3]));
  if (!a || !b || !c) throw new Error('there are three zones');
  return stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const owner = stage.owner(database);
    const { machine, epoch } = owner;
    const isLogWrite = ({ operation, key }: StoreRequest): boolean =>
      operation === 'put' && key.startsWith('log/') && key.includes(epoch);

    // The entry reaches zone A only.
    const late = stage.hold(
      (request) => isLogWrite(request) && request.machine === machine && request.store !== a.contents.name,
    );
    const value = 'kept';
    const writing = stage.tryToWrite(client, database, value);
    const { key } = await late.caught;
    await stage.until(() => a.contents.get(key) !== undefined);
    machine.freeze({ stopsMonotonic: false });

    // Who ends the epoch does not reach A, and seals B; C is lost before its seal arrives.
    for (const { machine: other } of stage.others(owner)) a.weather.cut(other);
    const seals = stage.hold(
      (request) => isLogWrite(request) && request.machine !== machine && request.store === c.contents.name,
    );
    await stage.until(() => b.contents.get(key) !== undefined);
    c.weather.isLost = true;
    seals.release();
    // Zone A is reached while its seal is still tried, or when somebody looks again from the beginning.
    await stage.world.sleep(seed % 2 === 0 ? 20_000 : 200);
    stage.expect(!stage.exists(`recoveries/${epoch}`), 'one seal ends no log');
    for (const { machine: other } of stage.others(owner)) a.weather.reconnect(other);
    await stage.until(() => stage.exists(`recoveries/${epoch}`));
    const position = Number(key.slice(key.lastIndexOf('/') + 1));
    const copy = logCopyName(epoch as NodeEpoch, position);
    stage.expect(stage.cluster.dataStore.contents.get(copy) !== undefined, 'the entry is copied');

    // The owner goes on: B refuses the entry, C is gone.
    machine.thaw();
    late.release();
    await writing;
    const elsewhere = stage.client(() => stage.others(owner));
    await stage.write(elsewhere, database, 2);
    await stage.until(() => !machine.isAlive);

    // C comes back as it was, A is lost: the entry is in no zone.
    stage.owner(database).machine.die('killed by the schedule');
    c.weather.isLost = false;
    a.weather.isLost = true;
    const found = await stage.appended(stage.client(), database);
    stage.expect(found.includes(value), 'the entry counts');
    await stage.write(stage.client(), database, 2);
  });
}
