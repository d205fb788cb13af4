/** Pulls as they stand on the wire, for tests that ask for what no official client asks for. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { PullRequest } from '@turso-byoc/data-plane/sync/pull-request.js';

export function encodePull(request: Partial<PullRequest>): Buffer {
  const writer = new BinaryWriter();
  if (request.encoding === 'zstd') writer.tag(1, WireType.Varint).int32(1);
  if (request.serverRevision !== undefined) writer.tag(2, WireType.LengthDelimited).string(request.serverRevision);
  if (request.clientRevision !== undefined) writer.tag(3, WireType.LengthDelimited).string(request.clientRevision);
  if (request.longPollTimeoutMs) writer.tag(4, WireType.Varint).uint32(request.longPollTimeoutMs);
  if (request.pages) writer.tag(5, WireType.LengthDelimited).bytes(request.pages);
  if (request.clientPages) writer.tag(6, WireType.LengthDelimited).bytes(request.clientPages);
  if (request.query !== undefined) writer.tag(7, WireType.LengthDelimited).string(request.query);
  return Buffer.from(writer.finish());
}

export interface PullAnswer {
  readonly revision: string;
  readonly databasePages: number;
  readonly isRaw: boolean;
  /** By their numbers, counted from 1. */
  readonly pages: Map<number, Buffer>;
}

/** Reads a whole answer; throws when it is cut off, or a page is there twice. */
export function decodePull(body: Uint8Array): PullAnswer {
  const reader = new BinaryReader(body);
  const header = new BinaryReader(reader.bytes());
  let [revision, databasePages, isRaw] = ['', 0, false];
  while (header.pos < header.len) {
    const [field, wireType] = header.tag();
    if (field === 1) revision = header.string();
    else if (field === 2) databasePages = Number(header.uint64());
    else if (field === 3) isRaw = header.bytes().length === 0;
    else header.skip(wireType, field);
  }
  const pages = new Map<number, Buffer>();
  while (reader.pos < reader.len) {
    const message = new BinaryReader(reader.bytes());
    let page = 1;
    let content = Buffer.alloc(0);
    while (message.pos < message.len) {
      const [field] = message.tag();
      if (field === 1) page = Number(message.uint64()) + 1;
      else content = Buffer.from(message.bytes());
    }
    if (pages.has(page)) throw new Error(`page ${page} is there twice`);
    pages.set(page, content);
  }
  return { revision, databasePages, isRaw, pages };
}
