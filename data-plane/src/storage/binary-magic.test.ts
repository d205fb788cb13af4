import { foreignStart } from './binary-magic.js';

const known = [Buffer.from('TBYOLOG1'), Buffer.from('TBYOLOG2'), Buffer.from('TBYOSEA1')];
const errorFor = (bytes: Buffer) => foreignStart('some/key', bytes, known, 'it is damaged');

describe('the start of a binary object', () => {
  it.each(['TBYOLOG3', 'TBYOSEA2', 'TBYOLOG0 and more'])('names another version: %s', (start) => {
    expect(errorFor(Buffer.from(start))).toMatchObject({
      code: 'STORE_FORMAT_UNKNOWN',
      message: `object some/key has format ${start.slice(0, 8)}, expected TBYOLOG1 or TBYOLOG2 or TBYOSEA1`,
    });
  });

  it.each(['', 'TBYOLOG', 'TBYOLOGx', 'TBYOARC1', 'tbyolog3', 'TBYOLOG1'])('is damage otherwise: %j', (start) => {
    expect(errorFor(Buffer.from(start))).toMatchObject({ code: 'STORE_OBJECT_CORRUPT', message: 'it is damaged' });
  });
});
