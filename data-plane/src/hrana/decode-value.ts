import type { SqlValue } from '../engine/adapters/adapter.js';
import { asObject, malformed } from './json-shape.js';

const decimal = /^[+-]?[0-9]{1,20}$/;
const minInteger = -(2n ** 63n);
const maxInteger = 2n ** 63n - 1n;
/** Standard alphabet, padded or not. */
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** A Hrana value as the engines take it. Throws MALFORMED_REQUEST; `path` is where the value stands in the body. */
export function decodeValue(json: unknown, path: string): SqlValue {
  const value = asObject(json, path);
  switch (value['type']) {
    case 'null':
      return null;
    case 'integer':
      return decodeInteger(value['value'], path);
    case 'float':
      if (typeof value['value'] !== 'number') throw malformed(`${path}.value`, 'a number');
      return value['value'];
    case 'text':
      if (typeof value['value'] !== 'string') throw malformed(`${path}.value`, 'a string');
      return value['value'];
    case 'blob':
      return decodeBlob(value['base64'], path);
    default:
      throw malformed(`${path}.type`, '"null", "integer", "float", "text" or "blob"');
  }
}

function decodeInteger(text: unknown, path: string): bigint {
  if (typeof text !== 'string' || !decimal.test(text)) {
    throw malformed(`${path}.value`, 'a string with a decimal integer');
  }
  const integer = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (integer < minInteger || integer > maxInteger) throw malformed(`${path}.value`, 'a 64-bit signed integer');
  return integer;
}

function decodeBlob(text: unknown, path: string): Buffer {
  if (typeof text !== 'string' || !base64.test(text)) throw malformed(`${path}.base64`, 'a string in base64');
  const isPadded = text.endsWith('=');
  if (isPadded ? text.length % 4 !== 0 : text.length % 4 === 1) throw malformed(`${path}.base64`, 'whole base64');
  return Buffer.from(text, 'base64');
}
