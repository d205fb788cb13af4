/**
 * Reading Protobuf messages that a client wrote. Every error is MALFORMED_REQUEST and names the place in the message.
 * Stricter than the format asks: groups (which nest without a length) and texts that are not UTF-8 are refused, so is a known
 * field of another wire type.
 */
import { isUtf8 } from 'node:buffer';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ByocError } from '../errors/catalogue.js';

/**
 * Elements (requests, steps, conditions, values) that one body may have together. An element takes two bytes on the wire and
 * some hundred in memory, so that the length of the body alone bounds nothing.
 */
const maxElements = 500_000;

/** Counts the elements of one body. */
export class ElementBudget {
  #left = maxElements;

  /** Throws MALFORMED_REQUEST. */
  take(): void {
    this.#left -= 1;
    if (this.#left < 0) throw new ByocError('MALFORMED_REQUEST', `a body may have ${maxElements} elements`);
  }
}

/** One field of a message. Each method reads its value, once; a value that is not read is passed over. */
export class ProtobufField {
  readonly #reader: BinaryReader;
  readonly #wireType: WireType;
  readonly #path: string;
  readonly number: number;

  constructor(reader: BinaryReader, number: number, wireType: WireType, path: string) {
    this.#reader = reader;
    this.#wireType = wireType;
    this.#path = path;
    this.number = number;
  }

  string(): string {
    const bytes = this.bytes();
    if (!isUtf8(bytes)) throw this.#malformed('a text in UTF-8');
    return bytes.toString('utf8');
  }

  /** A view into the message. */
  bytes(): Buffer {
    this.#expect(WireType.LengthDelimited);
    const bytes = this.#reader.bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  int32(): number {
    this.#expect(WireType.Varint);
    return this.#reader.int32();
  }

  uint32(): number {
    this.#expect(WireType.Varint);
    return this.#reader.uint32();
  }

  bool(): boolean {
    this.#expect(WireType.Varint);
    return this.#reader.bool();
  }

  sint64(): bigint {
    this.#expect(WireType.Varint);
    return BigInt(this.#reader.sint64());
  }

  double(): number {
    this.#expect(WireType.Bit64);
    return this.#reader.double();
  }

  skip(): void {
    this.#reader.skip(this.#wireType, this.number);
  }

  #expect(wireType: WireType): void {
    if (this.#wireType !== wireType) throw this.#malformed('of another wire type');
  }

  #malformed(expectation: string): ByocError {
    return new ByocError('MALFORMED_REQUEST', `field ${this.number} of ${this.#path} must be ${expectation}`);
  }
}

/**
 * Calls `take` with each field of a message. Throws MALFORMED_REQUEST for what is not a message, and what `take` throws.
 * `path`: what the message is, for errors.
 */
export function readFields(message: Uint8Array, path: string, take: (field: ProtobufField) => void): void {
  const reader = new BinaryReader(message);
  try {
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (wireType === WireType.StartGroup || wireType === WireType.EndGroup) {
        throw new ByocError('MALFORMED_REQUEST', `${path} must be a Protobuf message without groups`);
      }
      const field = new ProtobufField(reader, number, wireType, path);
      const start = reader.pos;
      take(field);
      if (reader.pos === start) field.skip();
    }
  } catch (error) {
    // The library throws plain errors and range errors for bytes that are not a message.
    if (error instanceof ByocError) throw error;
    throw new ByocError('MALFORMED_REQUEST', `${path} must be a Protobuf message`, { cause: error });
  }
}
