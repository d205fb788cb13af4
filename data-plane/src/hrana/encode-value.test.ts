import fc from 'fast-check';
import { decodeValue } from './decode-value.js';
import { encodeColumns, encodeRow, encodeValue, quote } from './encode-value.js';

describe('encodeValue', () => {
  it('writes the exact JSON of every type', () => {
    expect(encodeValue(null)).toBe('{"type":"null"}');
    expect(encodeValue(-5n)).toBe('{"type":"integer","value":"-5"}');
    expect(encodeValue('a"b')).toBe('{"type":"text","value":"a\\"b"}');
    expect(encodeValue(new Uint8Array([0, 1]))).toBe('{"type":"blob","base64":"AAE"}');
    expect(encodeValue(new Uint8Array([0, 1, 2]))).toBe('{"type":"blob","base64":"AAEC"}');
  });

  it('keeps floats recognisable', () => {
    const text = (value: number): string => encodeValue(value).slice('{"type":"float","value":'.length, -1);
    expect([1, -0, 0, 0.1, 1e21, -1.5e-7].map(text)).toEqual(['1.0', '-0.0', '0.0', '0.1', '1e+21', '-1.5e-7']);
    for (const value of [NaN, Infinity, -Infinity]) expect(encodeValue(value)).toBe('{"type":"null"}');
  });

  it('is undone by decodeValue', () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string({ unit: 'binary' }),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(value), (row) => {
        const json = JSON.parse(encodeRow(row)) as unknown[];
        expect(json.map((element) => decodeValue(element, 'x'))).toEqual(row);
      }),
    );
  });
});

describe('quote', () => {
  it('escapes like JSON.stringify', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(quote(text)).toBe(JSON.stringify(text));
      }),
    );
    expect(quote('\ud800')).toBe('"\\ud800"');
  });
});

describe('encodeColumns', () => {
  it('writes names and declared types', () => {
    expect(
      encodeColumns([
        { name: 'a"', declaredType: 'INTEGER' },
        { name: '1', declaredType: null },
      ]),
    ).toBe('[{"name":"a\\"","decltype":"INTEGER"},{"name":"1","decltype":null}]');
  });
});
