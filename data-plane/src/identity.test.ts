import { isDatabaseId, newDatabaseId, orderedUuid } from './identity.js';

const nowMs = Date.UTC(2026, 10, 27);
const digits = (id: string): string => id.replaceAll('-', '');

describe('the id of a database', () => {
  const at = (ms: number): string => newDatabaseId('libsql', ms);

  it('is a UUID of the version that leaves its parts to us', () => {
    expect(at(nowMs)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('stands beside those of the same time, in each of 256 places, and behind those of before', () => {
    const ids = Array.from({ length: 4_000 }, () => at(nowMs));
    expect(new Set(ids).size).toBe(ids.length);
    const places = new Set(ids.map((id) => digits(id).slice(0, 10)));
    expect(places.size).toBeGreaterThan(250);
    expect(places.size).toBeLessThanOrEqual(256);
    const timeOf = (id: string): string => digits(id).slice(2, 10);
    for (const laterMs of [nowMs + 1_024, nowMs + 86_400_000, Date.UTC(2100, 0, 1)]) {
      expect(timeOf(at(laterMs)) > timeOf(at(nowMs))).toBe(true);
    }
    // When four bytes no longer hold the time.
    expect(isDatabaseId(at(2 ** 43))).toBe(true);
  });

  it.each([0x0f, 0x10, 0x11])('says which engine it is for, when its byte 5 would be %d', (byte) => {
    const random = (): Buffer => Buffer.alloc(16, byte);
    const byte5 = (id: string): string => digits(id).slice(10, 12);
    expect(byte5(newDatabaseId('tursodb', nowMs, random))).toBe('10');
    expect(byte5(newDatabaseId('libsql', nowMs, random))).not.toBe('10');
  });
});

it('an ordered UUID begins with the time', () => {
  const id = orderedUuid(nowMs);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseInt(digits(id).slice(0, 12), 16)).toBe(nowMs);
  expect(orderedUuid(nowMs + 1) > id).toBe(true);
  expect(orderedUuid(nowMs)).not.toBe(id);
});
