import { WriteLock } from './write-lock.js';

describe('WriteLock', () => {
  const [a, b, c] = [{}, {}, {}];

  it('is handed over in the order of asking', () => {
    const lock = new WriteLock();
    expect(lock.acquire(a)).toBeUndefined();
    expect(lock.acquire(a)).toBeUndefined();
    const [forB, forC] = [lock.acquire(b), lock.acquire(c)];
    lock.release(a);
    expect([lock.isHeldBy(b), forB?.raised, forC?.raised]).toEqual([true, true, false]);
    lock.release(b);
    expect([lock.isHeldBy(c), forC?.raised]).toEqual([true, true]);
    lock.release(c);
    expect(lock.isHeld).toBe(false);
  });

  it('forgets who gave up waiting', () => {
    const lock = new WriteLock();
    lock.acquire(a);
    lock.acquire(b);
    lock.acquire(c);
    lock.release(b);
    lock.release(a);
    expect(lock.isHeldBy(c)).toBe(true);
  });
});
