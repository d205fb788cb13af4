/** The decoders that read what clients write, each as one function from bytes, with whole inputs to begin with. */
import fc from 'fast-check';
import { fileOperationKinds } from '@turso-byoc/data-plane/database/file-request.js';
import { reservedBytesOf } from '@turso-byoc/data-plane/database/uploaded-file.js';
import { transactionsOf } from '@turso-byoc/data-plane/hrana/file/push-frames.js';
import { fileOperation, filePath } from '@turso-byoc/data-plane/server/file-routes.js';
import { emptyDatabaseImage } from '@turso-byoc/data-plane/storage/empty-database.js';
import { encodeJsonCursor, encodeJsonPipeline } from '@turso-byoc/data-plane/hrana/encode-json-request.js';
import { encodeProtobufCursor, encodeProtobufPipeline } from '@turso-byoc/data-plane/hrana/encode-protobuf-request.js';
import { jsonEncoding } from '@turso-byoc/data-plane/hrana/json-encoding.js';
import { protobufEncoding } from '@turso-byoc/data-plane/hrana/protobuf-encoding.js';
import { jsonCodec } from '@turso-byoc/data-plane/hrana/socket/json-codec.js';
import { protobufCodec } from '@turso-byoc/data-plane/hrana/socket/protobuf-codec.js';
import { parseRequestTarget } from '@turso-byoc/data-plane/server/request-target.js';
import { decodePageSelector } from '@turso-byoc/data-plane/sync/page-selector.js';
import { decodePullRequest } from '@turso-byoc/data-plane/sync/pull-request.js';
import { baton, batchSteps, streamRequest } from '../support/hrana-requests.js';
import { encodePull } from '../support/pulls.js';

export interface FuzzTarget {
  /** Reads an input; throws an error of the catalogue for one that is refused. */
  readonly read: (input: Buffer) => unknown;
  readonly seeds: (seed: number) => Buffer[];
}

const seedCount = 60;

function pipelines(encode: typeof encodeJsonPipeline): FuzzTarget['seeds'] {
  return (seed) =>
    fc
      .sample(fc.tuple(baton, streamRequest), { seed, numRuns: seedCount })
      .map(([baton, request]) => encode(baton, request));
}

function cursors(encode: typeof encodeJsonCursor): FuzzTarget['seeds'] {
  return (seed) =>
    fc.sample(fc.tuple(baton, batchSteps), { seed, numRuns: seedCount }).map(([baton, steps]) => encode(baton, steps));
}

const jsonMessages = [
  '{"type":"hello","jwt":"a.b.c"}',
  '{"type":"request","request_id":1,"request":{"type":"open_stream","stream_id":1}}',
  '{"type":"request","request_id":2,"request":{"type":"execute","stream_id":1,"stmt":{"sql":"SELECT ?","args":[{"type":"integer","value":"1"}]}}}',
  '{"type":"request","request_id":3,"request":{"type":"open_cursor","stream_id":1,"cursor_id":1,"batch":{"steps":[{"stmt":{"sql_id":1}}]}}}',
  '{"type":"request","request_id":4,"request":{"type":"fetch_cursor","cursor_id":1,"max_count":10}}',
  '{"type":"request","request_id":5,"request":{"type":"store_sql","sql_id":1,"sql":"SELECT 1"}}',
];
/** The same as messages in Protobuf: ClientMsg{hello{jwt}}, ClientMsg{request{request_id, …}}. */
const protobufMessages = [
  [0x0a, 0x03, 0x0a, 0x01, 0x78],
  [0x12, 0x06, 0x08, 0x01, 0x12, 0x02, 0x08, 0x01],
  [0x12, 0x0b, 0x08, 0x02, 0x22, 0x07, 0x08, 0x01, 0x12, 0x03, 0x0a, 0x01, 0x78],
  [0x12, 0x0f, 0x08, 0x03, 0x32, 0x0b, 0x08, 0x01, 0x10, 0x01, 0x1a, 0x05, 0x0a, 0x03, 0x12, 0x01, 0x10],
  [0x12, 0x08, 0x08, 0x04, 0x42, 0x04, 0x08, 0x01, 0x10, 0x0a],
  [0x12, 0x09, 0x08, 0x05, 0x5a, 0x05, 0x08, 0x01, 0x12, 0x01, 0x78],
];

/** Bitmaps of pages: one of an array, one of a bitmap, one of a run. */
const selectors = [
  Buffer.from('3a300000010000000000020010000000000001000500', 'hex'),
  Buffer.concat([Buffer.from('3a300000010000000000ff1f10000000', 'hex'), Buffer.alloc(8192, 0x11)]),
  Buffer.from('3b3000000100001f00010000001f00', 'hex'),
];

/** A pull and, as its node does, the pages that it selects. */
function readPull(input: Buffer): void {
  const { pages } = decodePullRequest(input);
  if (pages) decodePageSelector(pages, 100_000);
}

/** WAL frames, each as its page and the size of the database after it. */
function pushedFrames(...frames: [page: number, databasePages: number][]): Buffer {
  return Buffer.concat(
    frames.map(([page, databasePages]) => {
      const frame = Buffer.alloc(4120);
      frame.writeUInt32BE(page, 0);
      frame.writeUInt32BE(databasePages, 4);
      return frame;
    }),
  );
}

export const fuzzTargets: Readonly<Record<string, FuzzTarget>> = {
  'json-pipeline': { read: (input) => jsonEncoding.decodePipeline(input), seeds: pipelines(encodeJsonPipeline) },
  'json-cursor': { read: (input) => jsonEncoding.decodeCursor(input), seeds: cursors(encodeJsonCursor) },
  'json-socket': {
    read: (input) => jsonCodec.decode(input),
    seeds: () => jsonMessages.map((text) => Buffer.from(text)),
  },
  'protobuf-pipeline': {
    read: (input) => protobufEncoding.decodePipeline(input),
    seeds: pipelines(encodeProtobufPipeline),
  },
  'protobuf-cursor': { read: (input) => protobufEncoding.decodeCursor(input), seeds: cursors(encodeProtobufCursor) },
  'protobuf-socket': {
    read: (input) => protobufCodec.decode(input),
    seeds: () => protobufMessages.map((bytes) => Buffer.from(bytes)),
  },
  'pull-updates': {
    read: readPull,
    seeds: () => [
      encodePull({ clientRevision: 'AAAA', longPollTimeoutMs: 1_000 }),
      encodePull({ query: 'SELECT 1', encoding: 'zstd' }),
      ...selectors.map((pages) => encodePull({ serverRevision: 'AAAA', pages })),
    ],
  },
  'page-selector': { read: (input) => decodePageSelector(input, 100_000), seeds: () => selectors },
  'upload-header': {
    read: (input) => reservedBytesOf(input.subarray(0, 100), Math.max(4096, input.length), { mode: 'kms' }),
    seeds: () => [emptyDatabaseImage(0), emptyDatabaseImage(28)],
  },
  'upload-start': {
    read: (input) => fileOperation('upload-start', {}, input),
    seeds: () => ['{"db_size_bytes":4096}', '{"db_size_bytes":0,"x":[]}', 'null'].map((text) => Buffer.from(text)),
  },
  'file-path': {
    read: (input) => {
      const [kind, generation, start, end, baton, upload, chunk] = input.toString('latin1').split('/');
      const known = fileOperationKinds.find((each) => each === kind) ?? 'replica-push';
      const operation = fileOperation(known, { generation, start, end, baton, upload, chunk }, Buffer.from('{}'));
      return filePath(operation);
    },
    seeds: () =>
      [
        'replica-pull/5/1/129',
        `replica-push/5/1/2/${'0f'.repeat(16)}`,
        'replica-export/4294967295',
        'upload-chunk/////a1b2/0',
        'upload-finalize/////a1b2',
      ].map((text) => Buffer.from(text)),
  },
  'pushed-frames': {
    read: (input) => transactionsOf(input),
    seeds: () => [pushedFrames([1, 0], [2, 2]), pushedFrames([3, 3]), pushedFrames([0, 1])],
  },
  'request-target': {
    read: (input) => parseRequestTarget(input.toString('latin1')),
    seeds: () => ['/db/a-b/v2/pipeline?x', 'http://a.b/v3', '//', '/db/', '*'].map((text) => Buffer.from(text)),
  },
};
