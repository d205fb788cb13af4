import fc from 'fast-check';
import { baton, batchSteps, streamRequest } from '../../test/support/hrana-requests.js';
import { isByocError } from '../errors/catalogue.js';
import { encodeJsonCursor, encodeJsonPipeline } from './encode-json-request.js';
import { encodeProtobufCursor, encodeProtobufPipeline } from './encode-protobuf-request.js';
import { jsonEncoding } from './json-encoding.js';
import { protobufEncoding } from './protobuf-encoding.js';

describe('the encodings of requests', () => {
  it('say the same: what was written is read again, in JSON and in Protobuf', () => {
    fc.assert(
      fc.property(baton, streamRequest, (baton, request) => {
        const expected = { baton, requests: [request] };
        expect(jsonEncoding.decodePipeline(encodeJsonPipeline(baton, request))).toEqual(expected);
        expect(protobufEncoding.decodePipeline(encodeProtobufPipeline(baton, request))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(baton, batchSteps, (baton, steps) => {
        const expected = { baton, steps };
        expect(jsonEncoding.decodeCursor(encodeJsonCursor(baton, steps))).toEqual(expected);
        expect(protobufEncoding.decodeCursor(encodeProtobufCursor(baton, steps))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('a Protobuf message that was cut off or altered is read or refused, never anything else', () => {
    fc.assert(
      fc.property(baton, streamRequest, fc.nat(), fc.integer({ min: 0, max: 255 }), (baton, request, at, byte) => {
        const whole = encodeProtobufPipeline(baton, request);
        const altered = Buffer.from(whole);
        if (altered.length > 0) altered[at % altered.length] = byte;
        for (const body of [whole.subarray(0, at % (whole.length + 1)), altered]) {
          try {
            protobufEncoding.decodePipeline(body);
          } catch (error) {
            expect(isByocError(error, 'MALFORMED_REQUEST')).toBe(true);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what Protobuf bodies are refused', () => {
  const refused = (bytes: number[]): string => {
    try {
      protobufEncoding.decodePipeline(Buffer.from(bytes));
    } catch (error) {
      if (isByocError(error, 'MALFORMED_REQUEST')) return error.message;
      throw error;
    }
    return 'read';
  };

  it.each<[string, number[], RegExp]>([
    ['a request of no kind', [0x12, 0x00], /stream request/],
    ['groups', [0x13, 0x14], /without groups/],
    ['a baton that is a number', [0x08, 0x01], /wire type/],
    ['a baton that is not UTF-8', [0x0a, 0x01, 0xff], /UTF-8/],
    ['a length beyond the end', [0x0a, 0x05, 0x61], /Protobuf message/],
    ['field number 0', [0x02, 0x00], /Protobuf message/],
    ['a length that never ends', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], /Protobuf message/],
    ['"close" before another request', [0x12, 0x02, 0x0a, 0x00, 0x12, 0x02, 0x42, 0x00], /last request/],
    ['a statement without SQL', [0x12, 0x04, 0x12, 0x02, 0x0a, 0x00], /"sql" or "sql_id"/],
    ['an argument that is nothing', [0x12, 0x08, 0x12, 0x06, 0x0a, 0x04, 0x0a, 0x00, 0x1a, 0x00], /a value/],
  ])('%s', (_what, bytes, reason) => {
    expect(refused(bytes)).toMatch(reason);
  });

  it('conditions that nest too deep', () => {
    let condition: Buffer = Buffer.from([0x32, 0x00]);
    const nested = (depth: number): Buffer => {
      for (let level = 1; level < depth; level++) condition = field(3, condition);
      return condition;
    };
    const body = (depth: number): Buffer => {
      condition = Buffer.from([0x32, 0x00]);
      const step = Buffer.concat([field(1, nested(depth)), field(2, field(1, Buffer.from('SELECT 1')))]);
      return field(2, field(3, field(1, field(1, step))));
    };
    expect(() => protobufEncoding.decodePipeline(body(100))).not.toThrow();
    expect(() => protobufEncoding.decodePipeline(body(101))).toThrow(/nested 100 deep/);
  });

  it('more elements than memory is set aside for', () => {
    const request = field(2, field(1, Buffer.alloc(0)));
    expect(() => protobufEncoding.decodePipeline(Buffer.alloc(0))).not.toThrow();
    const closeStream = Buffer.concat([Buffer.from([0x12, 0x02, 0x42, 0x00])]);
    expect(request.length).toBe(closeStream.length);
    const many = Buffer.alloc(closeStream.length * 500_001, closeStream);
    expect(() => protobufEncoding.decodePipeline(many)).toThrow(/elements/);
  });

  function field(number: number, content: Buffer): Buffer {
    const length: number[] = [];
    for (let rest = content.length; ; rest >>>= 7) {
      length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      if (rest <= 0x7f) break;
    }
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
  }
});
