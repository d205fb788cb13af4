import fc from 'fast-check';
import { decodeValue } from './decode-value.js';

const decode = (value: unknown): unknown => decodeValue(value, 'here');

describe('decodeValue', () => {
  it('takes every type', () => {
    expect(decode({ type: 'null' })).toBeNull();
    expect(decode({ type: 'integer', value: '-42' })).toBe(-42n);
    expect(decode({ type: 'float', value: 0.5 })).toBe(0.5);
    expect(Object.is(decode({ type: 'float', value: -0 }), -0)).toBe(true);
    expect(decode({ type: 'text', value: 'a\0b' })).toBe('a\0b');
    expect(decode({ type: 'blob', base64: '' })).toEqual(Buffer.alloc(0));
  });

  it('takes exactly the 64-bit integers', () => {
    expect(decode({ type: 'integer', value: '9223372036854775807' })).toBe(2n ** 63n - 1n);
    expect(decode({ type: 'integer', value: '-9223372036854775808' })).toBe(-(2n ** 63n));
    const wrong = ['9223372036854775808', '-9223372036854775809', '', '-', '1.0', '1e3', ' 1', '0x10', '1_0', 5, null];
    for (const value of wrong) expect(() => decode({ type: 'integer', value })).toThrow('here.value must be');
  });

  it('takes base64 with and without padding, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const padded = Buffer.from(bytes).toString('base64');
        for (const base64 of [padded, padded.replace(/=+$/, '')]) {
          expect(Buffer.from(bytes).equals(decode({ type: 'blob', base64 }) as Buffer)).toBe(true);
        }
      }),
    );
    const wrong = ['A', 'AAAAA', 'AA=', 'AAA==', 'A===', '-_-_', 'AA A', 'AA\n', 'AA==AA', '=', 1, undefined];
    for (const base64 of wrong) expect(() => decode({ type: 'blob', base64 })).toThrow('here.base64 must be');
  });

  it('says where the type is wrong', () => {
    for (const value of [undefined, null, 'x', 5, []]) expect(() => decode(value)).toThrow('here must be an object');
    expect(() => decode({})).toThrow('here.type must be');
    expect(() => decode({ type: 'float', value: '1' })).toThrow('here.value must be a number');
    expect(() => decode({ type: 'text', value: 1 })).toThrow('here.value must be a string');
  });
});
