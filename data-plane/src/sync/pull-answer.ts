/** The answer to a pull: a header and pages, each with its length before it, in Protobuf. */
import * as zlib from 'node:zlib';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { PageContent } from '../storage/database-snapshot.js';
import type { PageEncoding } from './pull-request.js';

/** Node.js compresses with Zstandard from version 22.15 on. */
const zstdCompress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync;
/** What Node.js takes when nothing is said. */
const zstdLevel = 3;
const pagesProtocol = 1;

/** How the pages of an answer are encoded, for a client that can read `asked`. */
export function chosenEncoding(asked: PageEncoding): PageEncoding {
  return asked === 'zstd' && zstdCompress ? 'zstd' : 'raw';
}

export interface PullHeader {
  readonly revision: string;
  readonly databasePages: number;
  readonly encoding: PageEncoding;
}

export function encodeHeader({ revision, databasePages, encoding }: PullHeader): Buffer {
  const header = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(revision)
    .tag(2, WireType.Varint)
    .uint64(databasePages);
  // Clients look for the field: it is written although it is empty.
  if (encoding === 'raw') header.tag(3, WireType.LengthDelimited).bytes(new Uint8Array(0));
  else
    header.tag(4, WireType.LengthDelimited).bytes(new BinaryWriter().tag(1, WireType.Varint).int32(zstdLevel).finish());
  header.tag(8, WireType.Varint).int32(pagesProtocol);
  return delimited(header.finish());
}

/** Pages as they stand one after the other in the body. */
export function encodePages(pages: readonly PageContent[], encoding: PageEncoding): Buffer {
  return Buffer.concat(
    pages.map(({ page, content }) => {
      const encoded = encoding === 'zstd' && zstdCompress ? zstdCompress(content) : content;
      const message = new BinaryWriter();
      // Page 0 is the default, which is not written.
      if (page > 1) message.tag(1, WireType.Varint).uint64(page - 1);
      return delimited(message.tag(2, WireType.LengthDelimited).bytes(encoded).finish());
    }),
  );
}

function delimited(message: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().bytes(message).finish());
}
