import fc from 'fast-check';
import { isByocError } from '../errors/catalogue.js';
import { decodeHeader, encodeHeader, headerBytes, maxHeaderBytes, type ObjectHeader } from './object-file.js';

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const header: fc.Arbitrary<ObjectHeader> = fc.record({
  key: fc
    .array(fc.constantFrom('a', 'Z', '/', '.', '='), { minLength: 1, maxLength: 1024 })
    .map((letters) => letters.join('')),
  id,
  version: fc.integer({ min: 33, max: Number.MAX_SAFE_INTEGER }),
  ancestors: fc.array(id, { maxLength: 32 }),
  bodyBytes: fc.nat(Number.MAX_SAFE_INTEGER),
});

describe('the header of an object file', () => {
  it('gives back what was written, whatever follows it', () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 50 }), (written, rest) => {
        const bytes = encodeHeader(written);
        expect(bytes.length).toBe(headerBytes(written));
        expect(bytes.length).toBeLessThanOrEqual(maxHeaderBytes);
        expect(decodeHeader(Buffer.concat([bytes, rest]))).toEqual(written);
      }),
    );
  });

  it('fails by name when it is cut or is something else', () => {
    const fails = (bytes: Buffer): void => {
      try {
        decodeHeader(bytes);
      } catch (error) {
        expect(isByocError(error, 'STORE_OBJECT_CORRUPT')).toBe(true);
        return;
      }
      throw new Error('was taken for a header');
    };
    fc.assert(
      fc.property(header, fc.nat(), (written, cut) => {
        const bytes = encodeHeader(written);
        fails(bytes.subarray(0, cut % bytes.length));
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => fails(Buffer.from(bytes))));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 36 }), (bytes) =>
        fails(Buffer.concat([Buffer.from('TBO1'), Buffer.from([255, 255, 255, 255]), bytes])),
      ),
    );
  });
});
