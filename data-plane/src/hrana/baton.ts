import { timingSafeEqual } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';

const idBytes = 9;
const secretBytes = 16;
const batonPattern = /^([A-Za-z0-9_-]{12})\.([A-Za-z0-9_-]{22})$/;

/**
 * What a client shows to go on with its stream: `<stream id>.<secret>`, base64url. The id is random as well, so that a
 * baton of another database, or of an earlier life of this one, names no stream here.
 */
export interface Baton {
  readonly streamId: string;
  readonly secret: string;
}

export function newStreamId(randomBytes: (count: number) => Buffer): string {
  return randomBytes(idBytes).toString('base64url');
}

export function newSecret(randomBytes: (count: number) => Buffer): string {
  return randomBytes(secretBytes).toString('base64url');
}

export function formatBaton({ streamId, secret }: Baton): string {
  return `${streamId}.${secret}`;
}

/** Throws BATON_INVALID for what is not a baton. */
export function parseBaton(text: string): Baton {
  const [, streamId, secret] = batonPattern.exec(text) ?? [];
  if (streamId === undefined || secret === undefined) {
    throw new ByocError('BATON_INVALID', 'the baton is not one that this server gave out');
  }
  return { streamId, secret };
}

/** Compares two secrets in constant time. */
export function isSameSecret(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
