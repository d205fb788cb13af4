import fc from 'fast-check';
import { databaseA, databaseB, deployment, sampleSealer } from '../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { Sealer, sealingOverheadBytes, type SealedKind, type SealedPosition } from './sealing.js';

const runtime = new VirtualRuntime();
const sealer = sampleSealer(runtime);
const previous = Buffer.alloc(32, 7);
const position: SealedPosition = { kind: 'fragment', term: 3, numbers: [10, 12], previous };
const plaintext = Buffer.from('the content');
const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' });
const key = Buffer.alloc(32, 49);

function ring(...numbers: number[]): { current: number; keys: Map<number, Buffer> } {
  return { current: numbers[0] ?? 0, keys: new Map(numbers.map((number) => [number, key])) };
}

describe('sealing', () => {
  it('gives back what was sealed, also nothing at all', () => {
    for (const content of [plaintext, Buffer.alloc(0), Buffer.alloc(300_000, 5)]) {
      const sealed = sealer.seal(position, content);
      expect(sealed).toHaveLength(content.length + sealingOverheadBytes);
      expect(sealer.open(position, sealed).equals(content)).toBe(true);
    }
  });

  it('makes different bytes each time', () => {
    expect(sealer.seal(position, plaintext).equals(sealer.seal(position, plaintext))).toBe(false);
  });

  it('refuses every single flipped bit', () => {
    const sealed = sealer.seal(position, plaintext);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Buffer.from(sealed);
      altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => sealer.open(position, altered)).toThrow(corrupt);
    }
  });

  it('refuses every truncation and anything appended', () => {
    const sealed = sealer.seal(position, plaintext);
    for (let length = 0; length < sealed.length; length++) {
      expect(() => sealer.open(position, sealed.subarray(0, length))).toThrow(corrupt);
      expect(() => sealer.open(position, sealed.subarray(sealed.length - length))).toThrow(corrupt);
    }
    expect(() => sealer.open(position, Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(corrupt);
  });

  it.each<[string, SealedPosition]>([
    ['kind', { ...position, kind: 'segment' }],
    ['term', { ...position, term: 4 }],
    ['numbers', { ...position, numbers: [10, 13] }],
    ['order of numbers', { ...position, numbers: [12, 10] }],
    ['count of numbers', { ...position, numbers: [10] }],
    ['previous', { ...position, previous: Buffer.alloc(32, 8) }],
    ['no previous', { kind: 'fragment', term: 3, numbers: [10, 12] }],
  ])('refuses another %s', (_what, other) => {
    const sealed = sealer.seal(position, plaintext);
    expect(() => sealer.open(other, sealed)).toThrow(corrupt);
  });

  it.each<[string, Sealer]>([
    ['deployment', new Sealer(runtime, 'e'.repeat(32), databaseA, ring(1))],
    ['database', new Sealer(runtime, deployment, databaseB, ring(1))],
    ['data key', sampleSealer(runtime, databaseA, 50)],
    ['key ring', new Sealer(runtime, deployment, databaseA, ring(2))],
  ])('refuses another %s', (_what, other) => {
    const sealed = sealer.seal(position, plaintext);
    expect(() => other.open(position, sealed)).toThrow(corrupt);
    expect(() => sealer.open(position, other.seal(position, plaintext))).toThrow(corrupt);
  });

  it('opens what an earlier data key of the ring sealed, but not under another number', () => {
    const later = new Sealer(runtime, deployment, databaseA, ring(2, 1));
    const sealed = sealer.seal(position, plaintext);
    expect(later.open(position, sealed).equals(plaintext)).toBe(true);
    sealed.writeUInt32LE(2, 1);
    expect(() => later.open(position, sealed)).toThrow(corrupt);
  });

  it('never treats two positions as one', () => {
    const word = fc.oneof(fc.nat(4), fc.maxSafeNat());
    const positions = fc.record(
      {
        kind: fc.constantFrom<SealedKind>('fragment', 'segment', 'generation', 'segment-list', 'archive-index'),
        term: word,
        numbers: fc.array(word, { maxLength: 6 }),
        // The bytes of a digest may be read as numbers, and the other way round.
        previous: fc.array(word, { minLength: 4, maxLength: 4 }).map(littleEndian),
      },
      { requiredKeys: ['kind', 'term', 'numbers'] },
    );
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(() => sealer.open(other, sealer.seal(one, plaintext))).toThrow(corrupt);
      }),
    );
    const digestAsNumbers: SealedPosition = { kind: 'fragment', term: 3, numbers: [10, 12, 1, 2, 3, 4] };
    const digest: SealedPosition = { ...position, previous: littleEndian([1, 2, 3, 4]) };
    expect(() => sealer.open(digestAsNumbers, sealer.seal(digest, plaintext))).toThrow(corrupt);
    expect(() => sealer.open(digest, sealer.seal(digestAsNumbers, plaintext))).toThrow(corrupt);
  });

  it('does nothing any more once it is wiped', () => {
    const wiped = sampleSealer(runtime);
    const sealed = wiped.seal(position, plaintext);
    wiped.wipe();
    expect(() => wiped.seal(position, plaintext)).toThrow('were wiped');
    expect(() => wiped.open(position, sealed)).toThrow('were wiped');
  });
});

function littleEndian(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(words.length * 8);
  words.forEach((word, index) => bytes.writeBigUInt64LE(BigInt(word), index * 8));
  return bytes;
}
