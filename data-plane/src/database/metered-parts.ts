/** Passes the parts of a stream through and tells of the bytes of each that is taken. */
export function meteredParts(
  parts: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): AsyncIterableIterator<Buffer> {
  const source = parts[Symbol.asyncIterator]();
  const stream: AsyncIterableIterator<Buffer> = {
    next: async () => {
      const next = await source.next();
      if (next.done !== true) onBytes(next.value.length);
      return next;
    },
    return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
