import { createHash } from 'node:crypto';
import { bitFlips, truncations } from '../../test/damage.js';
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
