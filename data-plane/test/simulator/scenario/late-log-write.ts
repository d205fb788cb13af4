import type { StoreRequest } from '../store/store-link.js';
import { Stage } from './stage.js';

/**
 * Where the late write falls. `at the seal`: on the position that the recoverer sealed. `above the seal`: on one above,
 * which nobody seals, and which is deleted with the log. `again`: on one below that was stored, recovered and deleted
 * before the owner, which never had the answer, writes it once more; acknowledging it is right, and nothing after it.
 */
export type LateWrite = 'at the seal' | 'above the seal' | 'again';

/** Longer than a stalled owner takes to be replaced, and its log to be deleted. */
const patienceMs = 400_000;

/**
 * An owner stalls with a log write under way. Its epoch is ended, its database goes on elsewhere, its log is deleted; then
 * the write lands, and the owner goes on. Its clocks stood still, so that no lease stands between the log and the client:
 * the seal alone decides.
 */
export async function playLateLogWrite(seed: number, late: LateWrite): Promise<readonly string[]> {
  const stage = new Stage({ seed });
  return stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const owner = stage.owner(database);
    const { machine, epoch } = owner;
    const log = stage.logStore().contents;
    const isLogWrite = ({ machine: by, operation, key }: StoreRequest): boolean =>
      by === machine && operation === 'put' && key.startsWith('log/');
    const patient = (): ReturnType<Stage['client']> => stage.client(() => [owner], patienceMs);

    const value = 'late';
    const held = late === 'again' ? undefined : stage.holdNext(isLogWrite);
    const caught = held?.caught ?? stage.loseAnswer(isLogWrite);
    const writing = stage.tryToWrite(patient(), database, value);
    const { key } = await caught;
    const next = late === 'above the seal' ? stage.holdNext(isLogWrite) : undefined;
    const writingNext = next && stage.tryToWrite(patient(), database);
    const nextKey = (await next?.caught)?.key;
    if (late === 'again') await stage.until(() => log.get(key) !== undefined);

    // It must not learn from its record that it was replaced.
    const beats = stage.hold(
      ({ machine: by, operation, key: record }) => by === machine && operation === 'put' && record === `nodes/${epoch}`,
    );
    const wallMs = machine.nowMs();
    machine.freeze({ stopsMonotonic: true });
    await stage.until(() => stage.exists(`recoveries/${epoch}`));
    const elsewhere = stage.client(() => stage.others(owner));
    await stage.write(elsewhere, database, 3);
    await stage.until(() => !stage.exists(`logs/${epoch}`));
    stage.expect(stage.exists(`nodes/${epoch}`) && stage.exists(`recoveries/${epoch}`), 'its records stay');
    if (late === 'again') stage.expect(log.get(key) === undefined, 'the log is deleted');

    // The write arrives while its owner still stands, or after it has gone on.
    next?.release();
    await stage.world.sleep(100);
    if (nextKey !== undefined) stage.expect(log.get(nextKey) !== undefined, 'the late write lands');
    machine.stepWallClock(wallMs - machine.nowMs());
    machine.thaw();
    // Requests that were passed on to it before may make it write at the seal first, which ends it.
    if (late === 'again') await stage.until(() => log.get(key) !== undefined || !machine.isAlive);
    held?.release();
    const last = stage.tryToWrite(patient(), database);
    const done = await Promise.all([writing, writingNext, last]);
    beats.release();
    const [first, ...others] = done.map((each) => each !== undefined && 'results' in each);
    stage.expect(!first || late === 'again', 'the late write was acknowledged');
    stage.expect(!others.includes(true), 'what the owner wrote after it was acknowledged');
    await stage.until(() => !machine.isAlive);
    const found = await stage.appended(elsewhere, database);
    stage.expect(found.includes(value) === (late === 'again'), 'the late write is there if it was recovered');
  });
}
