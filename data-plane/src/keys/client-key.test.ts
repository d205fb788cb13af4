import { createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { cipherNames, ciphers, isCipherName } from './ciphers.js';
import { ClientKey, type CheckedDatabase } from './client-key.js';
import { KeyMismatchError, type EncryptionContext } from './key-service.js';

const text = Buffer.alloc(32, 7).toString('base64');
const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };
const checked: CheckedDatabase = { deployment: 'd', database: 'b', cipher: 'aegis256' };
const key = (): ClientKey => ClientKey.parse(text, 'aegis256');

function refusal(given: string, cipher: (typeof cipherNames)[number] = 'aegis256'): unknown {
  try {
    ClientKey.parse(given, cipher);
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Fields as they are encoded: UTF-16, each with its length before it. */
function encoded(...fields: string[]): Buffer {
  const parts = fields.flatMap((field) => {
    const bytes = Buffer.from(field, 'utf16le');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

describe('a key that a client holds', () => {
  it.each(cipherNames)('has the length that %s takes, and no other', (cipher) => {
    for (let length = 0; length <= 48; length++) {
      const error = refusal(Buffer.alloc(length, 1).toString('base64'), cipher);
      if (length === ciphers[cipher].keyBytes) expect(error).toBeUndefined();
      else expect(error).toMatchObject({ code: 'ENCRYPTION_KEY_LENGTH' });
    }
  });

  it.each([
    ['no padding', text.slice(0, -1)],
    ['the alphabet of URLs', Buffer.alloc(32, 0xff).toString('base64').replaceAll('/', '_')],
    ['a space', ` ${text}`],
    ['two keys', `${text}, ${text}`],
    ['hex with an odd end', 'abc'],
    ['a character that is no letter', `${text.slice(0, -2)}ä=`],
  ])('is not read from %s', (_what, given) => {
    expect(refusal(given)).toMatchObject({ code: 'ENCRYPTION_KEY_MALFORMED' });
  });

  it('fails by name for any text, and never repeats it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8 }), (given) => {
        const error = refusal(given);
        if (error === undefined) return;
        expect(error).toMatchObject({ code: expect.stringMatching(/^ENCRYPTION_KEY_(MALFORMED|LENGTH)$/) as string });
        expect((error as Error).message).not.toContain(given);
      }),
    );
  });

  it('opens what it wrapped, in its context, and nothing else opens it', () => {
    const dataKey = randomBytes(32);
    const wrapped = key().wrap(context, dataKey, randomBytes(12));
    expect(key().unwrap(context, wrapped)).toEqual(dataKey);
    for (const field of ['deployment', 'organization', 'group', 'database'] as const) {
      expect(() => key().unwrap({ ...context, [field]: 'x' }, wrapped)).toThrow(KeyMismatchError);
    }
    const other = ClientKey.parse(Buffer.alloc(32, 8).toString('base64'), 'aegis256');
    expect(() => other.unwrap(context, wrapped)).toThrow(KeyMismatchError);
    for (let at = 0; at < wrapped.length; at++) {
      const altered = Buffer.from(wrapped);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(() => key().unwrap(context, altered)).toThrow(KeyMismatchError);
    }
  });

  it('makes a fresh data key each time', () => {
    const wrapped = [1, 2].map(() => key().generate(context, randomBytes));
    const [one, other] = wrapped.map((bytes) => key().unwrap(context, bytes));
    expect(one).toHaveLength(32);
    expect(one?.equals(other as Buffer)).toBe(false);
  });

  it('is known by its check value, which is bound to the database and the cipher', () => {
    const check = key().checkValue(checked);
    expect(check).toMatch(/^[0-9a-f]{64}$/);
    expect(key().matches(checked, check)).toBe(true);
    expect(ClientKey.parse(Buffer.alloc(32, 8).toString('base64'), 'aegis256').matches(checked, check)).toBe(false);
    for (const other of [{ deployment: 'x' }, { database: 'x' }, { cipher: 'aes256gcm' as const }]) {
      expect(key().matches({ ...checked, ...other }, check)).toBe(false);
    }
    for (const nonsense of ['', 'zz', check.slice(2), `${check}00`])
      expect(key().matches(checked, nonsense)).toBe(false);
  });

  it('is what the manifest says it is: HKDF-SHA256, AES-256-GCM and HMAC-SHA256', () => {
    const ikm = Buffer.alloc(32, 7);
    const version = 'turso-byoc/client-key/1';
    const info = encoded(version, 'wrap', 'd', 'o', 'g', 'b');
    const wrapped = key().wrap(context, Buffer.alloc(32, 3), Buffer.alloc(12, 9));
    const derived = Buffer.from(hkdfSync('sha256', ikm, '', info, 32));
    const decipher = createDecipheriv('aes-256-gcm', derived, wrapped.subarray(1, 13));
    decipher.setAAD(encoded('turso-byoc/wrapped-key/1', 'client', 'd', 'o', 'g', 'b'));
    decipher.setAuthTag(wrapped.subarray(-16));
    expect(Buffer.concat([decipher.update(wrapped.subarray(13, -16)), decipher.final()])).toEqual(Buffer.alloc(32, 3));
    const checkKey = Buffer.from(hkdfSync('sha256', ikm, '', encoded(version, 'check', 'd', 'b'), 32));
    expect(key().checkValue(checked)).toBe(createHmac('sha256', checkKey).update(encoded('aegis256')).digest('hex'));
  });

  it('does nothing right any more when it is wiped', () => {
    const wrapped = key().wrap(context, Buffer.alloc(32, 3), randomBytes(12));
    const wiped = key();
    wiped.wipe();
    expect(() => wiped.unwrap(context, wrapped)).toThrow(KeyMismatchError);
  });
});

describe('a cipher', () => {
  it('is one of nine names', () => {
    expect(cipherNames).toHaveLength(9);
    expect(cipherNames.every(isCipherName)).toBe(true);
    for (const other of ['AES256GCM', 'toString', '', 7, undefined]) expect(isCipherName(other)).toBe(false);
  });
});
