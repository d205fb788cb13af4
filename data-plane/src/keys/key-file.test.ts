import fc from 'fast-check';
import { encodeKeyFile, KeyFileError, parseKeyFile, type LocalKey } from './key-file.js';

const key: LocalKey = { id: 'default', state: 'disabled', createdAtMs: 1234, material: Buffer.alloc(32, 7) };

/** A key, or the one error the parser may throw. */
function parse(bytes: Buffer): LocalKey | undefined {
  try {
    return parseKeyFile(bytes, 'default');
  } catch (error) {
    if (error instanceof KeyFileError) return undefined;
    throw error;
  }
}

describe('a key file', () => {
  it('gives back what was written', () => {
    expect(parseKeyFile(encodeKeyFile(key), 'default')).toEqual(key);
  });

  it('does not pass for the file of another key', () => {
    expect(() => parseKeyFile(encodeKeyFile(key), 'other')).toThrow(KeyFileError);
  });

  it('fails by name for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => parse(Buffer.from(bytes)) === undefined));
  });

  it('fails by name for any line of JSON', () => {
    fc.assert(
      fc.property(fc.json(), (line) => {
        expect(parse(Buffer.concat([Buffer.from(`${line}\n`), key.material]))).toBeUndefined();
      }),
    );
  });

  it('notices every changed bit of the material and of its digest', () => {
    const bytes = encodeKeyFile(key);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Buffer.from(bytes);
        altered[at] = (altered[at] ?? 0) ^ change;
        const parsed = parse(altered);
        if (parsed !== undefined) expect(parsed.material).toEqual(key.material);
      }),
    );
  });
});
