/** A stream is named near the beginning or the end of a body, whatever order a client writes its fields in. */
const lookedAtBytes = 1024;
const batonPattern = /"baton"\s*:\s*"/;

/**
 * Whether a request in JSON may continue a stream. The body is not parsed here; a text that only looks like a baton makes
 * a node hand its database over a little later, nothing else.
 */
export function continuesStream(body: Buffer): boolean {
  const head = body.toString('latin1', 0, lookedAtBytes);
  if (batonPattern.test(head)) return true;
  return body.length > lookedAtBytes && batonPattern.test(body.toString('latin1', body.length - lookedAtBytes));
}
