import { createHash, randomBytes } from 'node:crypto';
import { compositeSha256, matchesChecksum } from './object-checksum.js';

const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

describe('checksums of objects', () => {
  const bytes = randomBytes(25);
  const parts = [bytes.subarray(0, 10), bytes.subarray(10, 20), bytes.subarray(20)];
  const composite = `${digest(Buffer.concat(parts.map(digest))).toString('base64')}-3`;

  it('of an object in parts are those of its parts, together', () => {
    expect(compositeSha256(bytes, 10)).toBe(composite);
  });

  it('are compared where there is one that can be computed', () => {
    const other = Buffer.from(bytes);
    other[7]! ^= 1;
    const whole = { ChecksumSHA256: digest(bytes).toString('base64') };
    const inParts = { ChecksumSHA256: composite, Metadata: { 'part-bytes': '10' } };
    for (const answer of [whole, inParts]) {
      expect(matchesChecksum(bytes, answer)).toBe(true);
      expect(matchesChecksum(other, answer)).toBe(false);
    }
    expect(matchesChecksum(bytes, {})).toBeUndefined();
    expect(matchesChecksum(bytes, { ChecksumSHA256: composite })).toBeUndefined();
    expect(matchesChecksum(bytes, { ChecksumSHA256: composite, Metadata: { 'part-bytes': 'x' } })).toBeUndefined();
  });
});
