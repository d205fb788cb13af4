import { withoutTokens } from './without-tokens.js';

const token = `eyJhbGciOiJFZERTQSJ9.${'a'.repeat(60)}.${'b'.repeat(86)}`;

describe('withoutTokens', () => {
  it.each([
    ['/v2/pipeline', '/v2/pipeline'],
    [`/v1/databases/${'a'.repeat(63)}/usage`, `/v1/databases/${'a'.repeat(63)}/usage`],
    [`/${token}/v3/pipeline`, '/…/v3/pipeline'],
    [`there is no route /v1/${token}`, 'there is no route /v1/…'],
    [`could not find "${'f'.repeat(64)}" here`, 'could not find "…" here'],
    ['', ''],
  ])('of %s leaves %s', (text, left) => {
    expect(withoutTokens(text)).toBe(left);
  });
});
