import { onStreamEnd } from './stream-end.js';

/** A source that tells what was asked of it; `fail` makes the second part an error. */
function source(fail = false): { parts: AsyncIterable<Buffer>; left: () => boolean } {
  let left = false;
  async function* parts(): AsyncGenerator<Buffer> {
    yield Buffer.from('a');
    if (fail) throw new Error('broken');
    yield Buffer.from('b');
  }
  const generator = parts();
  const iterator: AsyncIterableIterator<Buffer> = {
    next: async () => generator.next(),
    return: async () => {
      left = true;
      return generator.return(undefined);
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return { parts: iterator, left: () => left };
}

describe('onStreamEnd', () => {
  it('passes every part through and tells the end once', async () => {
    let ends = 0;
    const stream = onStreamEnd(source().parts, () => (ends += 1));
    const parts: string[] = [];
    for await (const part of stream) {
      expect(ends).toBe(0);
      parts.push(part.toString());
    }
    await stream.return?.();
    expect(parts).toEqual(['a', 'b']);
    expect(ends).toBe(1);
  });

  it('tells of a failure', async () => {
    let ends = 0;
    const stream = onStreamEnd(source(true).parts, () => (ends += 1));
    await stream.next();
    await expect(stream.next()).rejects.toThrow('broken');
    expect(ends).toBe(1);
  });

  it.each([0, 1])('tells at once when the consumer goes away after %i parts', async (taken) => {
    let ends = 0;
    const { parts, left } = source();
    const stream = onStreamEnd(parts, () => (ends += 1));
    for (let part = 0; part < taken; part++) await stream.next();
    const leaving = stream.return?.();
    expect(ends).toBe(1);
    await leaving;
    expect(left()).toBe(true);
    expect(ends).toBe(1);
  });
});
