import fc from 'fast-check';
import { encodePull } from '../../test/support/pulls.js';
import { decodePullRequest, maxPullBytes, maxQueryLength } from './pull-request.js';

const text = fc.string({ minLength: 1, maxLength: 60 });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((array) => Buffer.from(array));
const request = fc.record(
  {
    encoding: fc.constantFrom('raw' as const, 'zstd' as const),
    longPollTimeoutMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    serverRevision: text,
    clientRevision: text,
    pages: bytes,
    clientPages: bytes,
    query: text,
  },
  { requiredKeys: ['encoding', 'longPollTimeoutMs'] },
);

it('is read as it was written', () => {
  fc.assert(fc.property(request, (asked) => expect(decodePullRequest(encodePull(asked))).toEqual(asked)));
});

it('asks for everything when it is empty', () => {
  expect(decodePullRequest(Buffer.alloc(0))).toEqual({ encoding: 'raw', longPollTimeoutMs: 0 });
});

it('fails by a named error only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
      try {
        decodePullRequest(Buffer.from(input));
      } catch (error) {
        expect(error).toEqual(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
      }
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  ['an encoding that there is not', Buffer.of(0x08, 0x02), 'MALFORMED_REQUEST'],
  ['a kind of stream that there is not', Buffer.of(0x40, 0x02), 'MALFORMED_REQUEST'],
  ['a revision of another length', encodePull({ clientRevision: 'x'.repeat(257) }), 'MALFORMED_REQUEST'],
  ['a text that is not UTF-8', Buffer.of(0x12, 0x01, 0xff), 'MALFORMED_REQUEST'],
  ['a field of another type', Buffer.of(0x10, 0x01), 'MALFORMED_REQUEST'],
  ['a query that is too long', encodePull({ query: 'x'.repeat(maxQueryLength + 1) }), 'MALFORMED_REQUEST'],
  ['too many bytes', Buffer.alloc(maxPullBytes + 1), 'REQUEST_TOO_LARGE'],
])('is refused with %s', (_what, body, code) => {
  expect(() => decodePullRequest(body)).toThrow(expect.objectContaining({ code }));
});
