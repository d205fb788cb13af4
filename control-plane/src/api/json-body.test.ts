import { parseJsonBody } from './json-body.js';

const parse = (text: string): unknown => parseJsonBody(Buffer.from(text));

describe('parseJsonBody', () => {
  it('lower-cases the outer keys, which the CLI capitalises', () => {
    expect(parse('{"Name":"g","Location":"local","seed":{"Type":"x"}}')).toEqual({
      name: 'g',
      location: 'local',
      seed: { Type: 'x' },
    });
  });

  it('takes an empty body for none', () => {
    expect(parse('')).toBeUndefined();
    expect(parse(' \n')).toBeUndefined();
  });

  it.each(['{', 'name=x', '{"name":"a","Name":"b"}'])('refuses %s', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
  });

  it('does not let a key reach the prototype', () => {
    const value = parse('{"__proto__":{"admin":true}}') as Record<string, unknown>;
    expect(value['admin']).toBeUndefined();
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});
