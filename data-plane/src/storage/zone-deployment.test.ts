import { MemoryStore } from '../../test/memory-store.js';
import { systemRuntime as runtime } from '../runtime.js';
import { deploymentOf } from './deployment.js';
import { admitZone, deploymentOfZones, type ZonePlace } from './zone-deployment.js';

let data: MemoryStore;
let zones: ZonePlace[];

beforeEach(() => {
  data = new MemoryStore();
  zones = ['a', 'b', 'c'].map(newZone);
});

function newZone(place: string): ZonePlace {
  return { name: `zone ${place}`, place, store: new MemoryStore() };
}

const of = async (there: readonly ZonePlace[] = zones, missing: readonly string[] = []): Promise<string> =>
  deploymentOfZones(runtime, data, there, missing);
const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'STORE_MISCONFIGURED', message: expect.stringMatching(message) });
const tooFew = expect.objectContaining({ code: 'STORE_UNAVAILABLE' });
const first = (): ZonePlace => zones[0] as ZonePlace;

describe('the deployment of three zones', () => {
  it('is made once, also by nodes that start together', async () => {
    const ids = await Promise.all([of(), of(), of()]);
    expect(new Set(ids).size).toBe(1);
    expect(await of()).toBe(ids[0]);
  });

  it('is made only when all are there, and known by any two later', async () => {
    await expect(of(zones.slice(1), ['a is away'])).rejects.toEqual(tooFew);
    const id = await of();
    for (const away of [0, 1, 2]) expect(await of(zones.toSpliced(away, 1), ['away'])).toBe(id);
    await expect(of([first()], ['b', 'c'])).rejects.toEqual(tooFew);
  });

  it('is completed when the first start ended in the middle', async () => {
    const id = await of();
    for (const [key] of data.objects) await data.delete(key);
    await zones[2]?.store.delete('deployment');
    expect(await of()).toBe(id);
  });

  it('is refused with two empty zones', async () => {
    await of();
    await expect(of([first(), newZone('d'), newZone('e')])).rejects.toEqual(
      refusal(/zone d is empty; zone e is empty/),
    );
  });

  it('is refused with a zone of another deployment, or a bucket in use', async () => {
    await of();
    const other = [newZone('d'), newZone('e'), newZone('f')];
    await deploymentOfZones(runtime, new MemoryStore(), other, []);
    await expect(of([...zones.slice(1), other[0] as ZonePlace])).rejects.toEqual(
      refusal(/zone d belongs to deployment/),
    );
    const used = newZone('g');
    await used.store.put('log/x', Buffer.from('x'), { ifAbsent: true });
    await expect(of([...zones.slice(1), used])).rejects.toEqual(refusal(/zone g holds objects/));
  });

  it('is refused where the log is in one bucket, and one bucket where it is in three', async () => {
    await of();
    await expect(deploymentOf(runtime, data, first().store)).rejects.toEqual(refusal(/one of three zones/));
    const [single, log] = [new MemoryStore(), new MemoryStore()];
    await deploymentOf(runtime, single, log);
    const whole = { name: 'zone h', place: 'h', store: log };
    await expect(deploymentOfZones(runtime, single, [whole, ...zones.slice(1)], [])).rejects.toEqual(
      refusal(/zone h holds the whole log/),
    );
  });

  it('is given to an empty zone in a new place, and refused to one in an old place', async () => {
    const id = await of();
    const moved = newZone('d');
    expect(await of([...zones.slice(1), moved])).toBe(id);
    await admitZone(runtime, data, id, moved);
    expect(await of([moved, first()], ['others'])).toBe(id);
    const emptied = { ...newZone('a'), store: new MemoryStore() };
    await expect(admitZone(runtime, data, id, emptied)).rejects.toEqual(refusal(/was in use and is empty now/));
    await admitZone(runtime, data, id, first());
  });
});
