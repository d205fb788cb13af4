import { ResponseParser } from './response-parser.js';

function response(body: string, status = '200 OK', extra = ''): string {
  return `HTTP/1.1 ${status}\r\nDate: now\r\n${extra}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: keep-alive\r\n\r\n${body}`;
}

/** What the parser reports for `bytes`, delivered in parts of `size` bytes through one reused piece of memory. */
function parse(bytes: string, size: number): (string | undefined)[] {
  const seen: (string | undefined)[] = [];
  const parser = new ResponseParser((failure) => seen.push(failure));
  const all = Buffer.from(bytes);
  const memory = Buffer.alloc(size);
  for (let at = 0; at < all.length; at += size) {
    memory.fill(0);
    const length = all.copy(memory, 0, at, at + size);
    parser.push(memory.subarray(0, length));
  }
  return seen;
}

describe('ResponseParser', () => {
  const ok = response('{"results":[]}');
  const empty = response('');
  const refused = response('{"message":"no","code":"AUTH"}', '401 Unauthorized');
  const disguised = response('{"results":[{"type":"error","error":{"message":"no such table"}}]}');

  it.each([1, 2, 3, 7, 64, 100_000])('finds the ends of responses in parts of %d bytes', (size) => {
    const seen = parse(ok + empty + refused + ok + disguised, size);
    expect(seen).toEqual([
      undefined,
      undefined,
      '401 {"message":"no","code":"AUTH"}',
      undefined,
      '200 {"results":[{"type":"error","error":{"message":"no such table"}}]}',
    ]);
  });

  it('passes over a large body without keeping it', () => {
    expect(parse(response('x'.repeat(300_000)) + ok, 65_536)).toEqual([undefined, undefined]);
  });

  it('reports nothing before a response is complete', () => {
    expect(parse(ok.slice(0, -1), 10)).toEqual([]);
  });

  it('refuses a response without a content length', () => {
    expect(() => parse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 100)).toThrow('no content length');
  });

  it('refuses a head that does not end', () => {
    expect(() => parse('x'.repeat(70_000), 1000)).toThrow('does not end');
  });
});
