import type { DatabaseRequestKind } from './database-service.js';

/** A stream is named near the beginning or the end of a body, whatever order a client writes its fields in. */
const lookedAtBytes = 1024;
const batonPattern = /"baton"\s*:\s*"/;
/** Tag of field 1, `baton`, as bytes with a length; encoders write fields in the order of their numbers. */
const protobufBatonTag = 0x0a;

/**
 * Whether a request may continue a stream. The body is not parsed here; a text that only looks like a baton makes a node
 * hand its database over a little later, nothing else.
 */
export function continuesStream(kind: DatabaseRequestKind, body: Buffer): boolean {
  if (kind === 'pull-updates') return false;
  if (kind === 'v3-protobuf-pipeline' || kind === 'v3-protobuf-cursor') return body[0] === protobufBatonTag;
  const head = body.toString('latin1', 0, lookedAtBytes);
  if (batonPattern.test(head)) return true;
  return body.length > lookedAtBytes && batonPattern.test(body.toString('latin1', body.length - lookedAtBytes));
}
