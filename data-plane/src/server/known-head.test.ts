import type { RequestKind } from '../engine/ipc/messages.js';
import { KnownHead } from './known-head.js';

const routes = new Map<string, RequestKind>([['/v3/pipeline', 'v3-pipeline']]);
const text = (length: string, extra = 'accept: */*'): string =>
  `POST /db/shop-acme/v3/pipeline HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n${extra}\r\n\r\n`;

function known(head: string): KnownHead {
  const read = KnownHead.read(Buffer.from(head, 'latin1'), 16_384, routes);
  if (!(read instanceof KnownHead)) throw new Error('the head is not simple');
  return read;
}
const recognized = (head: KnownHead, bytes: string) => head.recognize(Buffer.from(bytes, 'latin1'));

describe('reading a head', () => {
  it('gives its meaning', () => {
    expect(known(`${text('3')}abc`).meaning).toEqual({
      kind: 'v3-pipeline',
      sentTarget: '/db/shop-acme/v3/pipeline',
      isForwarded: false,
      clientKey: undefined,
      target: { path: '/v3/pipeline', query: '', label: 'shop-acme', authority: undefined },
      headers: { host: 'x', authorization: undefined },
    });
  });

  it('gives the key that the client holds', () => {
    const keyed = text('3', 'X-Turso-Encryption-Key: AAAA==\r\nx-turso-encryption-cipher:aegis256');
    expect(known(keyed).meaning.clientKey).toEqual({ key: 'AAAA==', cipher: 'aegis256' });
    expect(known(text('3', 'x-turso-encryption-key:')).meaning.clientKey).toEqual({ key: '', cipher: undefined });
    // A head with another key is another head.
    expect(recognized(known(keyed), keyed.replace('AAAA', 'AAAB'))).toBeUndefined();
    for (const name of ['x-turso-encryption-key', 'x-turso-encryption-cipher']) {
      const twice = Buffer.from(text('3', `${name}: a\r\n${name}: a`));
      expect(KnownHead.read(twice, 16_384, routes)).toBeUndefined();
    }
  });

  it('waits for its end up to the limit', () => {
    const bytes = Buffer.from(text('3').slice(0, -1));
    expect(KnownHead.read(bytes, 16_384, routes)).toBe('partial');
    expect(KnownHead.read(bytes, bytes.length, routes)).toBeUndefined();
    expect(KnownHead.read(Buffer.from(text('3')), bytes.length, routes)).toBeUndefined();
  });

  it('gives nothing for other routes and for what is not simple', () => {
    for (const head of [text('3').replace('/v3/pipeline', '/v3/other'), text('3').replace('POST', 'PUT'), '\r\n\r\n']) {
      expect(KnownHead.read(Buffer.from(head), 16_384, routes)).toBeUndefined();
    }
  });
});

describe('a known head', () => {
  it('is recognized with bodies of other lengths', () => {
    const head = known(text('3'));
    const start = text('3').length;
    expect(recognized(head, `${text('3')}abc`)).toEqual({
      meaning: head.meaning,
      bodyStart: start,
      bodyEnd: start + 3,
    });
    expect(recognized(head, `${text('12')}ab`)).toEqual({
      meaning: head.meaning,
      bodyStart: start + 1,
      bodyEnd: start + 13,
    });
    expect(recognized(head, text('0'))).toEqual({ meaning: head.meaning, bodyStart: start, bodyEnd: start });
  });

  it('is the last line, too', () => {
    const last = 'POST /v3/pipeline HTTP/1.1\r\ncontent-length: 5\r\n\r\n';
    expect(recognized(known(last), `${last}hello`)).toMatchObject({ bodyStart: last.length, bodyEnd: last.length + 5 });
  });

  it.each([
    ['another line before the length', text('3').replace('host: x', 'host: y')],
    ['another line after the length', text('3', 'accept: x/*')],
    ['no digits', text('')],
    ['more digits than are exact', text('1234567890123456')],
    ['something behind the digits', text('3x')],
    ['a sign', text('-3')],
    ['no end yet', text('3').slice(0, -1)],
    ['another case', text('3').replace('host', 'Host')],
  ])('is not recognized with %s', (_what, bytes) => {
    expect(recognized(known(text('3')), bytes)).toBeUndefined();
  });

  it('means what reading anew means, however the length is written', () => {
    for (const length of ['0', '00', '007', '999999999999999']) {
      const bytes = Buffer.from(text(length));
      expect(known(text('3')).recognize(bytes)).toEqual(known(text(length)).recognize(bytes));
    }
  });
});
