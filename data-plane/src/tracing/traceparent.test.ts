import { formatTraceparent, parseTraceparent } from './traceparent.js';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';

describe('parseTraceparent', () => {
  it('reads what W3C Trace Context gives as an example, and writes it again', () => {
    const value = `00-${trace}-${span}-01`;
    const parsed = parseTraceparent(value);
    expect(parsed).toEqual({ traceId: trace, spanId: span, isSampled: true });
    expect(parsed && formatTraceparent(parsed)).toBe(value);
  });

  it.each([
    [`00-${trace}-${span}-00`, false],
    [`00-${trace}-${span}-03`, true],
    [`00-${trace}-${span}-fe`, false],
    [`01-${trace}-${span}-01`, true],
    [`cc-${trace}-${span}-01-what-the-future-will-be-like`, true],
  ])('reads %s', (value, isSampled) => {
    expect(parseTraceparent(value)).toEqual({ traceId: trace, spanId: span, isSampled });
  });

  it.each([
    undefined,
    '',
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-`,
    `00-${trace}-${span}-01-more`,
    `00-${trace}-${span}-1`,
    `00-${trace}-${span}-0g`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `01-${trace}-${span}-01.more`,
    `01-${trace}-${span}-01-${'x'.repeat(600)}`,
    `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
    ` 00-${trace}-${span}-01`,
  ])('ignores %j', (value) => {
    expect(parseTraceparent(value)).toBeUndefined();
  });
});
