import { parseNamedKey } from './named-key.js';

describe('the key that a creation names', () => {
  it('is a key of the key service, or none', () => {
    const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b';
    expect(parseNamedKey({ kms_key_arn: arn })).toBe(arn);
    expect(parseNamedKey({ kms_key_arn: arn, encryption_key: '', encryption_cipher: null })).toBe(arn);
    for (const nothing of [undefined, null, {}, { kms_key_arn: null }]) expect(parseNamedKey(nothing)).toBeUndefined();
  });

  it.each<[unknown, string]>([
    ['arn', 'MALFORMED_REQUEST'],
    [['arn'], 'MALFORMED_REQUEST'],
    [{ kms_key_arn: 7 }, 'MALFORMED_REQUEST'],
    [{ kms_key_arn: 'x'.repeat(513) }, 'MALFORMED_REQUEST'],
    [{ encryption_key: 'k', encryption_cipher: 'aes256gcm' }, 'OPTION_NOT_OFFERED'],
    [{ kms_key_arn: 'a', encryption_key: 'k' }, 'OPTION_NOT_OFFERED'],
  ])('%j is refused: %s', (given, code) => {
    let thrown: unknown;
    try {
      parseNamedKey(given);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code });
  });
});
