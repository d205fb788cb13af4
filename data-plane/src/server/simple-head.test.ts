import { parseSimpleHead } from './simple-head.js';

const lines = ['POST /db/shop-acme/v3/pipeline HTTP/1.1', 'Host: example.org', 'Authorization: Bearer a.b-c_d'];
const simple = (...more: string[]): ReturnType<typeof parseSimpleHead> =>
  parseSimpleHead([...lines, ...more].join('\r\n'));

describe('a simple head', () => {
  it('is read', () => {
    expect(simple('content-length:  12 \t', 'connection: Keep-Alive', 'x-empty:', 'accept: */*')).toEqual({
      target: '/db/shop-acme/v3/pipeline',
      host: 'example.org',
      authorization: 'Bearer a.b-c_d',
      isForwarded: false,
      contentLength: 12,
    });
  });

  it('tells what another node passed on', () => {
    expect(simple('content-length: 1', 'X-Turso-Byoc-Forwarded-By: node-1')).toMatchObject({ isForwarded: true });
  });

  it('needs neither host nor authorization', () => {
    expect(parseSimpleHead('POST /v2/pipeline HTTP/1.1\r\ncontent-length: 0')).toEqual({
      target: '/v2/pipeline',
      host: undefined,
      authorization: undefined,
      isForwarded: false,
      contentLength: 0,
    });
  });
});

describe('what is left to the HTTP parser', () => {
  it.each([
    ['no length', []],
    ['two lengths', ['content-length: 1', 'content-length: 1']],
    ['a signed length', ['content-length: +1']],
    ['a list of lengths', ['content-length: 1, 1']],
    ['a hexadecimal length', ['content-length: 0x1']],
    ['a length without digits', ['content-length:']],
    ['a length beyond exact numbers', ['content-length: 9999999999999999']],
    ['chunks', ['content-length: 1', 'Transfer-Encoding: chunked']],
    ['an expectation', ['content-length: 1', 'expect: 100-continue']],
    ['an upgrade', ['content-length: 1', 'upgrade: websocket']],
    ['a connection that closes', ['content-length: 1', 'connection: close']],
    ['a connection with other options', ['content-length: 1', 'connection: keep-alive, te']],
    ['an old connection header', ['content-length: 1', 'proxy-connection: close']],
    ['trailers', ['content-length: 1', 'trailer: x']],
    ['a second host', ['content-length: 1', 'host: example.net']],
    ['a second authorization', ['content-length: 1', 'authorization: Bearer b']],
    ['a space before the colon', ['content-length : 1']],
    ['a folded line', ['content-length: 1', ' folded: 1']],
    ['a name that is no token', ['content-length: 1', 'x(y): 1']],
    ['a line without a colon', ['content-length: 1', 'nonsense']],
    ['a bare line feed in a value', ['content-length: 1', 'x: a\nb: c']],
    ['a bare carriage return in a value', ['content-length: 1', 'x: a\rb']],
    ['a NUL', ['content-length: 1', 'x: \0']],
    ['bytes beyond ASCII', ['content-length: 1', 'x: \xe4']],
    ['an empty line', ['content-length: 1', '', 'x: y']],
  ])('%s', (_what, more) => {
    expect(simple(...more)).toBeUndefined();
  });

  it.each([
    'GET /v3/pipeline HTTP/1.1',
    'post /v3/pipeline HTTP/1.1',
    'POST /v3/pipeline HTTP/1.0',
    'POST  /v3/pipeline HTTP/1.1',
    'POST /v3/pipeline  HTTP/1.1',
    'POST /v3/pipeline?x HTTP/1.1',
    'POST /v3/%70ipeline HTTP/1.1',
    'POST http://example.org/v3/pipeline HTTP/1.1',
    'POST /v3/pipeline HTTP/1.1 ',
    ' POST /v3/pipeline HTTP/1.1',
    'POST v3/pipeline HTTP/1.1',
    '',
  ])('the request line %j', (line) => {
    expect(parseSimpleHead(`${line}\r\ncontent-length: 1`)).toBeUndefined();
  });
});
