/** Checks of parsed JSON. Every error is MALFORMED_REQUEST and names the place in the body. */
import { isUtf8 } from 'node:buffer';
import { ByocError } from '../errors/catalogue.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function malformed(path: string, expectation: string): ByocError {
  return new ByocError('MALFORMED_REQUEST', `${path} must be ${expectation}`);
}

/** The request body as an object. */
export function parseBody(body: Buffer): JsonObject {
  if (!isUtf8(body)) throw new ByocError('MALFORMED_REQUEST', 'the body must be UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ByocError('MALFORMED_REQUEST', 'the body must be JSON', { cause: error });
  }
  return asObject(value, 'the body');
}

export function asObject(value: unknown, path: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(path, 'an object');
  return value as JsonObject;
}

export function asArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(path, 'an array');
  return value;
}

export function asString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw malformed(path, 'a string');
  return value;
}

/** Hrana's int32. */
export function asInt32(value: unknown, path: string): number {
  if (typeof value !== 'number' || (value | 0) !== value) throw malformed(path, 'a 32-bit integer');
  return value;
}

/** Absent and null mean the same in Hrana. */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}
