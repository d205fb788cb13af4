import { reservedBytesOf } from '../../src/database/uploaded-file.js';
import { ByocError } from '../../src/errors/catalogue.js';
import { transactionsOf } from '../../src/hrana/file/push-frames.js';
import { jsonEncoding } from '../../src/hrana/json-encoding.js';
import { protobufEncoding } from '../../src/hrana/protobuf-encoding.js';
import { jsonCodec } from '../../src/hrana/socket/json-codec.js';
import { protobufCodec } from '../../src/hrana/socket/protobuf-codec.js';
import { fileOperation } from '../../src/server/file-routes.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { seededRandom } from '../seeded-random.js';
import { mutated } from './mutate-input.js';

/** A small fixed budget; `npm run fuzz` looks for longer, and for more. */
const inputs = 4_000;
const hello = Buffer.from('{"type":"hello"}');
const json = Buffer.from(
  '{"baton":null,"requests":[{"type":"batch","batch":{"steps":[{"stmt":{"sql":"SELECT ?","args":[{"type":"blob","base64":"AA"}]}},{"condition":{"type":"not","cond":{"type":"ok","step":0}},"stmt":{"sql_id":1,"named_args":[{"name":"a","value":{"type":"float","value":1.5}}]}}]}}]}',
);
const protobuf = Buffer.from('0a0178121a1a180a160a0a1a0808001202080022001208080112010a2802', 'hex');

describe('decoders answer every input', () => {
  it.each<[string, Buffer, (input: Buffer) => unknown]>([
    ['JSON pipeline', json, (input) => jsonEncoding.decodePipeline(input)],
    ['JSON cursor', json, (input) => jsonEncoding.decodeCursor(input)],
    ['JSON message', hello, (input) => jsonCodec.decode(input)],
    ['Protobuf pipeline', protobuf, (input) => protobufEncoding.decodePipeline(input)],
    ['Protobuf cursor', protobuf, (input) => protobufEncoding.decodeCursor(input)],
    ['Protobuf message', protobuf, (input) => protobufCodec.decode(input)],
    [
      'header of a file',
      emptyDatabaseImage(28).subarray(0, 100),
      (input) => reservedBytesOf(input, 4096, { mode: 'kms' }),
    ],
    ['start of an upload', Buffer.from('{"db_size_bytes":4096}'), (input) => fileOperation('upload-start', {}, input)],
    ['frames of a replica', Buffer.alloc(4120, 1), (input) => transactionsOf(input)],
  ])('%s', (_name, whole, read) => {
    const random = seededRandom(4711);
    const known = [whole];
    for (let count = 0; count < inputs; count++) {
      const [first = whole, second = whole] = [known[random.below(known.length)], known.at(-1)];
      const input = mutated(first, second, random);
      if (known.length < 100) known.push(input);
      try {
        read(input);
      } catch (error) {
        if (!(error instanceof ByocError) || error.status !== 400) {
          throw new Error(`not an answer to ${input.subarray(0, 1000).toString('hex')}`, { cause: error });
        }
      }
    }
  });
});
