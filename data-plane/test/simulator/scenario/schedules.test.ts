/** Schedules that broke earlier drafts of the protocol, one by one. */
import { Stage } from './stage.js';
import { playStalledReader } from './stalled-reader.js';

const writes = (prefix: string) => (request: { operation: string; key: string }) =>
  request.operation === 'put' && request.key.startsWith(prefix);

it('survives two failovers before the first checkpoint', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 5);
    for (let failover = 1; failover <= 2; failover++) {
      const { term } = stage.manifest(database);
      stage.owner(database).machine.die('killed by the schedule');
      const writing = stage.write(client, database, 3);
      await stage.until(() => stage.manifest(database).term > term);
      if (failover === 2) await writing;
      else await stage.write(client, database, 1);
      await writing;
    }
    expect(stage.manifest(database).generation).toBeUndefined();
    expect(stage.manifest(database).term).toBeGreaterThanOrEqual(3);
  });
  expect(violations).toEqual([]);
});

it.each([1, 2, 3])('serves nothing stale from a node that stood still past every lease (seed %d)', async (seed) => {
  expect(await playStalledReader(seed)).toEqual([]);
});

it('keeps the generation of a successor apart from the same one of a stalled owner', async () => {
  const { policy } = (await import('../node/node-settings.js')).smallSettings;
  const stage = new Stage({ settings: { policy: { ...policy, foldFragments: 6 } } });
  const violations = await stage.play(async (database, client) => {
    const held = stage.hold(
      ({ operation, key }) => operation === 'put' && key.startsWith('objects/') && key.endsWith('/generation'),
    );
    await stage.write(client, database, 8);
    const { machine } = await held.caught;
    const { term } = stage.manifest(database);
    machine.freeze({ stopsMonotonic: false });
    await stage.until(() => stage.manifest(database).term > term || stage.exists('recoveries/'));
    const writing = stage.write(client, database, 8);
    // The stalled owner's write lands beside its successor's.
    held.release();
    await writing;
    await stage.until(() => stage.manifest(database).generation !== undefined);
    machine.thaw();
    await stage.write(client, database, 8);
    expect(stage.manifest(database).generation?.term).toBeGreaterThan(term);
  });
  expect(violations).toEqual([]);
});

it('keeps a commit that is in flight when its engine is killed', async () => {
  const stage = new Stage({ nodes: 1 });
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database);
    const held = stage.hold(writes('log/'));
    const writing = stage.tryToWrite(client, database);
    await held.caught;
    const { engines } = stage.owner(database);
    engines.killOne();
    engines.killOne();
    const reading = stage.tryToWrite(stage.client(), database);
    await stage.world.sleep(300);
    held.release();
    await Promise.all([writing, reading]);
  });
  expect(violations).toEqual([]);
});

it('does not take over from an owner that renews while it is being condemned', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database);
    const owner = stage.owner(database);
    const condemning = stage.hold(
      ({ machine, operation, key }) =>
        operation === 'put' && key === `nodes/${owner.epoch}` && machine !== owner.machine,
    );
    owner.machine.freeze({ stopsMonotonic: false });
    await condemning.caught;
    owner.machine.thaw();
    // Its next beat comes before the condemnation arrives.
    await stage.world.sleep(1_500);
    condemning.release();
    await stage.write(client, database, 3);
    expect(owner.machine.isAlive).toBe(true);
    expect(stage.exists(`recoveries/${owner.epoch}`)).toBe(false);
  });
  expect(violations).toEqual([]);
});

it('does not delete the new database of a name when a deletion of the old one comes late', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 2);
    const late = stage.hold(writes('names/'));
    const first = stage.owner(database).databases.delete(database.id);
    const { machine } = await late.caught;
    const replacing = stage.population.replace(client, 'db0');
    machine.freeze({ stopsMonotonic: false });
    await stage.world.sleep(6_000);
    late.release();
    await replacing;
    machine.thaw();
    await first.catch(() => undefined);
    const fresh = stage.population.named('db0');
    expect(fresh?.id).not.toBe(database.id);
    if (fresh) await stage.write(client, fresh, 2);
  });
  expect(violations).toEqual([]);
});

it('hands a database over with a write in flight', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 2);
    const owner = stage.owner(database);
    const held = stage.hold(
      ({ machine, operation, key }) => machine === owner.machine && writes('log/')({ operation, key }),
    );
    const writing = stage.tryToWrite(client, database);
    await held.caught;
    const stopping = owner.stop();
    await stage.world.sleep(1_000);
    held.release();
    expect(await writing).toHaveProperty('results');
    await stopping;
    await stage.write(stage.client(), database, 2);
    expect(stage.manifest(database).owner).not.toBe(owner.epoch);
  });
  expect(violations).toEqual([]);
});

it('recovers the log of a dead node without keys', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const owner = stage.owner(database);
    stage.cluster.keyService.isDown = true;
    owner.machine.die('killed by the schedule');
    await stage.until(() => stage.exists(`recoveries/${owner.epoch}`));
    stage.cluster.keyService.isDown = false;
    await stage.write(client, database, 3);
  });
  expect(violations).toEqual([]);
});

it('knows its own claim when the answer was lost', async () => {
  const stage = new Stage();
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const { term } = stage.manifest(database);
    stage.owner(database).machine.die('killed by the schedule');
    const claimed = stage.loseAnswer(writes('manifests/'));
    await stage.write(client, database, 3);
    const { machine } = await claimed;
    expect(stage.manifest(database).term).toBe(term + 1);
    expect(stage.owner(database).machine).toBe(machine);
  });
  expect(violations).toEqual([]);
});

it('fails over between nodes whose clocks are five seconds apart', async () => {
  const stage = new Stage({ nodes: 2 });
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const ahead = stage.owner(database);
    const behind = stage.cluster.alive.find((node) => node !== ahead);
    if (!behind) throw new Error('there is no second node');
    ahead.machine.stepWallClock(behind.machine.nowMs() - ahead.machine.nowMs() + 5_000);
    await stage.world.sleep(3_000);
    await stage.write(client, database, 3);
    ahead.machine.die('killed by the schedule');
    // Its times would go back; the store takes none that do.
    await stage.write(client, database, 3);
    expect(stage.manifest(database).owner).not.toBe(ahead.epoch);
  });
  expect(violations).toEqual([]);
});
