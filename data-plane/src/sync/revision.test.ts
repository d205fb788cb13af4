import fc from 'fast-check';
import { databaseA, databaseB, deployment, sampleSealer } from '../../test/storage/sample-database.js';
import { Sealer } from '../keys/sealing.js';
import { systemRuntime } from '../runtime.js';
import { decodeRevision, encodeRevision, maxRevisionLength } from './revision.js';

const invalid = expect.objectContaining({ code: 'REVISION_INVALID' });
const position = fc.record({
  commit: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  commitTimeMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
});

function sealerWith(current: number, numbers: readonly number[], name = deployment): Sealer {
  const keys = new Map(numbers.map((number) => [number, Buffer.alloc(32, number)]));
  return new Sealer(systemRuntime, name, databaseA, { current, keys });
}

it('names a position of one database, always by the same text', () => {
  const sealer = sampleSealer(systemRuntime);
  fc.assert(
    fc.property(position, (point) => {
      const revision = encodeRevision(sealer, point);
      expect(decodeRevision(sealer, revision)).toEqual(point);
      expect(revision).toBe(encodeRevision(sealer, point));
      expect(revision.length).toBeLessThanOrEqual(maxRevisionLength);
      // A client takes this form for a position in a logical log.
      expect(revision).not.toMatch(/^g\d+:o\d+$/);
    }),
  );
});

it('is refused when a single bit of it is another one', () => {
  const sealer = sampleSealer(systemRuntime);
  const bytes = Buffer.from(encodeRevision(sealer, { commit: 5, commitTimeMs: 1_005 }), 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = Buffer.from(bytes);
    altered.writeUInt8((altered[bit >> 3] as number) ^ (1 << (bit & 7)), bit >> 3);
    expect(() => decodeRevision(sealer, altered.toString('base64url'))).toThrow(invalid);
  }
});

it('of another database or deployment, even under the same key, is refused; so is any other text', () => {
  const sealer = sampleSealer(systemRuntime, databaseA, 7);
  const point = { commit: 1, commitTimeMs: 2 };
  const others = [sampleSealer(systemRuntime, databaseB, 7), sealerWith(1, [1], 'e'.repeat(32))];
  for (const other of others) {
    expect(() => decodeRevision(sealer, encodeRevision(other, point))).toThrow(invalid);
  }
  fc.assert(fc.property(fc.string(), (text) => expect(() => decodeRevision(sealer, text)).toThrow(invalid)));
});

it('outlives a change of the data key as long as the old one is kept', () => {
  const revision = encodeRevision(sealerWith(1, [1]), { commit: 3, commitTimeMs: 4 });
  expect(decodeRevision(sealerWith(2, [1, 2]), revision)).toEqual({ commit: 3, commitTimeMs: 4 });
  expect(() => decodeRevision(sealerWith(2, [2]), revision)).toThrow(
    expect.objectContaining({ code: 'REVISION_EXPIRED' }),
  );
});
