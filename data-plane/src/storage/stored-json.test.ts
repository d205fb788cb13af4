import { createHash } from 'node:crypto';
import { bitFlips, truncations } from '../../test/damage.js';
import { FormatLevel } from './format-level.js';
import { StoredJson } from './stored-json.js';

const schema = {
  type: 'object',
  properties: { name: { type: 'string' }, count: { type: 'integer', minimum: 0 } },
  required: ['name', 'count'],
  additionalProperties: false,
};
const stored = new StoredJson<{ name: string; count: number }>('turso-byoc/sample/1', schema);
const value = { name: 'ä "quoted"\n', count: 2 ** 40 };
const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });
const corrupt = expect.objectContaining({
  code: 'STORE_OBJECT_CORRUPT',
  message: expect.stringContaining('some/key'),
});

function written(format: string, body: string): Buffer {
  return Buffer.from(`${format} ${createHash('sha256').update(body).digest('hex')}\n${body}`);
}

describe('stored JSON', () => {
  it('gives back what was stored', () => {
    expect(stored.decode('some/key', stored.encode(value))).toEqual(value);
  });

  it('refuses to store a wrong shape', () => {
    expect(() => stored.encode({ name: 'x', count: -1 })).toThrow('wrong shape');
  });

  it('refuses every truncation and every flipped bit by name', () => {
    const bytes = stored.encode(value);
    for (const altered of [...truncations(bytes), ...bitFlips(bytes)]) {
      expect(() => stored.decode('some/key', altered)).toThrow(damaged);
    }
  });

  it.each([
    ['bytes at the end', Buffer.concat([stored.encode(value), Buffer.from(' ')])],
    ['text that is not JSON', written('turso-byoc/sample/1', '{"name":')],
    ['a missing property', written('turso-byoc/sample/1', '{"name":"x"}')],
    ['an unknown property', written('turso-byoc/sample/1', '{"name":"x","count":1,"more":1}')],
    ['a prototype', written('turso-byoc/sample/1', '{"name":"x","count":1,"__proto__":{"more":1}}')],
    ['a wrong type', written('turso-byoc/sample/1', '{"name":"x","count":"1"}')],
    ['no header line', Buffer.from('{"name":"x","count":1}')],
  ])('refuses %s', (_what, bytes) => {
    expect(() => stored.decode('some/key', bytes)).toThrow(corrupt);
  });

  it('tells another format from damage', () => {
    const unknown = expect.objectContaining({
      code: 'STORE_FORMAT_UNKNOWN',
      message: expect.stringContaining('some/key'),
    });
    expect(() => stored.decode('some/key', written('turso-byoc/sample/2', '{}'))).toThrow(unknown);
  });
});

describe('stored JSON of two versions', () => {
  interface Named {
    name: string;
    count: number;
    colour?: string;
  }
  const secondSchema = { ...schema, properties: { ...schema.properties, colour: { type: 'string' } } };
  const first = {
    format: 'turso-byoc/sample/1',
    level: 1,
    schema,
    toStored: ({ name, count }: Named) => ({ name, count }),
    fromStored: (old: Named) => ({ ...old, colour: 'none' }),
  };
  const second = { format: 'turso-byoc/sample/2', level: 3, schema: secondSchema };
  const both = new StoredJson<Named>([first, second]);
  const red = { name: 'x', count: 1, colour: 'red' };
  const formatOf = (bytes: Buffer): string => bytes.toString('latin1').split(' ')[0] as string;

  it('is written in the newest version that the format level allows', () => {
    expect([undefined, 1, 2, 3, 4].map((level) => formatOf(both.encode(red, level)))).toEqual([
      'turso-byoc/sample/1',
      'turso-byoc/sample/1',
      'turso-byoc/sample/1',
      'turso-byoc/sample/2',
      'turso-byoc/sample/2',
    ]);
    expect(both.encode(red, 2)).toEqual(stored.encode({ name: 'x', count: 1 }));
  });

  it('is read in either version, whatever the level', () => {
    expect(both.decode('some/key', both.encode(red, 1))).toEqual({ name: 'x', count: 1, colour: 'none' });
    expect(both.decode('some/key', both.encode(red, 3))).toEqual(red);
    expect(() => stored.decode('some/key', both.encode(red, 3))).toThrow(
      expect.objectContaining({ code: 'STORE_FORMAT_UNKNOWN' }),
    );
  });

  it('names all versions it knows when it meets another one', () => {
    expect(() => both.decode('some/key', written('turso-byoc/sample/3', '{}'))).toThrow(
      'has format turso-byoc/sample/3, expected turso-byoc/sample/2 or turso-byoc/sample/1',
    );
  });

  it('checks each version by its own schema', () => {
    const body = JSON.stringify(red);
    expect(both.decode('some/key', written('turso-byoc/sample/2', body))).toEqual(red);
    expect(() => both.decode('some/key', written('turso-byoc/sample/1', body))).toThrow(corrupt);
  });

  it('teaches whoever reads it the level, so that what replaces it holds as much', () => {
    const behind = new FormatLevel(1);
    const read = both.decode('some/key', both.encode(red, 3), behind);
    expect(behind.current).toBe(3);
    expect(both.decode('some/key', both.encode({ ...read, count: 2 }, behind.current))).toEqual({ ...red, count: 2 });
  });

  it('teaches nothing that is damaged', () => {
    const behind = new FormatLevel(1);
    expect(() => both.decode('some/key', written('turso-byoc/sample/2', '{}'), behind)).toThrow(corrupt);
    expect(behind.current).toBe(1);
  });

  it('is not written at a level that knows it not', () => {
    expect(() => new StoredJson<Named>([second]).encode(red, 2)).toThrow('is not written at format level 2');
  });
});
