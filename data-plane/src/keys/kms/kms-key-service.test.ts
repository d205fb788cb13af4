import { reset, ScriptedS3, silence, type ScriptedAnswer } from '../../../test/s3/scripted-s3.js';
import { systemRuntime } from '../../runtime.js';
import type { EncryptionContext, KeyUse } from '../key-service.js';
import { KmsKeyService } from './kms-key-service.js';

const keyId = 'arn:aws:kms:eu-west-1:111122223333:key/0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b';
const other = 'arn:aws:kms:eu-west-1:444455556666:key/mrk-0123456789abcdef0123456789abcdef';
const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };
const wrapped = Buffer.from('wrapped');
const dataKey = Buffer.alloc(32, 7);

const answer =
  (body: unknown, status = 200): ScriptedAnswer =>
  (response) =>
    response
      .writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'the-request' })
      .end(JSON.stringify(body));
const failure = (name: string, message = 'of a test', status = 400): ScriptedAnswer =>
  answer({ __type: name, message }, status);
const decrypted = answer({ KeyId: keyId, Plaintext: dataKey.toString('base64') });

describe('the key service of AWS, on the wire', () => {
  let server: ScriptedS3;
  let service: KmsKeyService;
  let uses: KeyUse[];
  let sleeps: number[];
  beforeEach(async () => {
    server = await ScriptedS3.start();
    uses = [];
    sleeps = [];
    service = new KmsKeyService(
      {
        keyId,
        endpoint: server.endpoint,
        credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
        attemptTimeoutMs: 1_000,
      },
      { ...systemRuntime, randomFraction: () => 0.5, sleep: async (ms) => void sleeps.push(ms) },
      (use) => uses.push(use),
    );
  });
  afterEach(async () => {
    service.close();
    await server.stop();
  });
  const asked = (): unknown[] =>
    server.asked.map(({ headers, body }) => [headers['x-amz-target'], JSON.parse(body.toString()) as unknown]);
  const unwrap = async (): Promise<unknown> => service.unwrap(keyId, wrapped, context);

  it('names the key and the whole context with every request, in the region of the key', async () => {
    const made = { KeyId: keyId, CiphertextBlob: wrapped.toString('base64') };
    server.answer(answer(made), decrypted, decrypted, answer({ ...made, KeyId: other }));
    expect(await service.generateWrappedDataKey(keyId, context)).toEqual({ keyId, wrapped });
    expect(await unwrap()).toEqual(dataKey);
    await service.probe(keyId, wrapped, context);
    const to = { keyId: other, context: { ...context, database: 'c' } };
    expect(await service.rewrap({ keyId, wrapped, context }, to)).toEqual({ keyId: other, wrapped });
    const decrypt = { KeyId: keyId, CiphertextBlob: wrapped.toString('base64'), EncryptionContext: context };
    expect(asked()).toEqual([
      [
        'TrentService.GenerateDataKeyWithoutPlaintext',
        { KeyId: keyId, KeySpec: 'AES_256', EncryptionContext: context },
      ],
      ['TrentService.Decrypt', decrypt],
      ['TrentService.Decrypt', decrypt],
      [
        'TrentService.ReEncrypt',
        {
          SourceKeyId: keyId,
          SourceEncryptionContext: context,
          CiphertextBlob: wrapped.toString('base64'),
          DestinationKeyId: other,
          DestinationEncryptionContext: to.context,
        },
      ],
    ]);
    for (const { headers } of server.asked) expect(headers.authorization).toContain('/eu-west-1/kms/');
    expect(new Set(uses.map(({ requestId }) => requestId))).toEqual(new Set(['the-request']));
  });

  it.each([
    ['DisabledException', 'disabled', ''],
    ['KMSInvalidStateException', 'pending-deletion', `${keyId} is pending deletion.`],
    ['KMSInvalidStateException', 'unusable', `${keyId} is pending import.`],
    ['AccessDeniedException', 'denied', 'no grant, or it was revoked'],
    ['NotFoundException', 'unknown', ''],
    ['InvalidKeyUsageException', 'unusable', ''],
  ])('takes %s for a refusal: %s', async (name, reason, message) => {
    server.answer(failure(name, message));
    await expect(unwrap()).rejects.toMatchObject({ name: 'KeyRefusedError', reason });
    expect(server.asked).toHaveLength(1);
    expect(uses).toEqual([
      {
        operation: 'unwrap',
        keyId,
        database: 'b',
        outcome: 'refused',
        requestId: 'the-request',
        durationMs: expect.any(Number),
      },
    ]);
  });

  it.each(['InvalidCiphertextException', 'IncorrectKeyException'])(
    'takes %s for a key that does not fit',
    async (name) => {
      server.answer(failure(name));
      await expect(unwrap()).rejects.toMatchObject({ name: 'KeyMismatchError' });
      expect(server.asked).toHaveLength(1);
    },
  );

  it.each<[string, ScriptedAnswer, number]>([
    ['throttling', failure('ThrottlingException', 'Rate exceeded'), 4],
    ['an internal error', failure('KMSInternalException', 'of a test', 500), 4],
    ['a key store that does not answer', failure('DependencyTimeoutException', 'of a test', 503), 4],
    ['a key that is not there just now', failure('KeyUnavailableException', 'of a test', 500), 4],
    ['a lost connection', reset, 4],
    ['credentials that have expired', failure('ExpiredTokenException'), 4],
    ['credentials that are not known', failure('UnrecognizedClientException'), 1],
    ['an error that nobody knows', failure('BrandNewException'), 1],
    ['an answer of somebody else', (response) => response.writeHead(404).end('<html>'), 1],
  ])('learns nothing about the key from %s', async (_what, given, attempts) => {
    server.otherwise(given);
    await expect(unwrap()).rejects.toMatchObject({ name: 'KeyServiceUnavailableError' });
    expect(server.asked).toHaveLength(attempts);
    expect(uses.map(({ outcome }) => outcome)).toEqual(['unavailable']);
    // Half of a bound that doubles: what is waited is drawn between nothing and the bound.
    expect(sleeps).toEqual([10, 20, 40].slice(0, attempts - 1));
  });

  it('gives an attempt up that is not answered, and gets its answer from the next', async () => {
    server.answer(silence, failure('ThrottlingException'), decrypted);
    expect(await unwrap()).toEqual(dataKey);
    expect(uses).toMatchObject([{ outcome: 'done', requestId: 'the-request', durationMs: expect.any(Number) }]);
  });

  it('stops trying again when nothing succeeds any more', async () => {
    server.otherwise(failure('ThrottlingException'));
    for (let n = 0; n < 60; n++) await unwrap().catch(() => undefined);
    // 60 requests and the 100 retries of the budget, not three more for each.
    expect(server.asked).toHaveLength(160);
  });

  it('takes no key of another length, and no answer without a key', async () => {
    server.answer(
      answer({ KeyId: keyId, Plaintext: dataKey.subarray(1).toString('base64') }),
      answer({ KeyId: keyId }),
    );
    await expect(unwrap()).rejects.toMatchObject({ name: 'KeyMismatchError' });
    await expect(service.generateWrappedDataKey(keyId, context)).rejects.toMatchObject({
      name: 'KeyServiceUnavailableError',
    });
  });

  it('knows ids of keys, of this account and of others, in its own region', () => {
    for (const id of [keyId, other, 'alias/a/b', '0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b']) {
      expect(service.keyIdDefect(id)).toBeUndefined();
    }
    expect(service.keyIdDefect(keyId.replace('eu-west-1', 'us-east-1'))).toMatch(/us-east-1.*eu-west-1/);
    for (const id of [keyId.replace('kms', 's3'), `${keyId}/x`, 'alias/', 'alias/a b', 'default']) {
      expect(service.keyIdDefect(id)).toMatch(/no ARN/);
    }
  });
});
