/**
 * Passes the parts of a stream through and calls `ended` once, when there will be no more: after the last part, after a
 * failure, or as soon as the consumer goes away, whether or not it took anything.
 */
export function onStreamEnd(parts: AsyncIterable<Buffer>, ended: () => void): AsyncIterableIterator<Buffer> {
  const source = parts[Symbol.asyncIterator]();
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    ended();
  };
  // Not a generator: one that was never asked for a part runs nothing when it is left, and one that waits runs it late.
  const stream: AsyncIterableIterator<Buffer> = {
    next: async () => {
      try {
        const next = await source.next();
        if (next.done) end();
        return next;
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => {
      end();
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
