/** What a node says that is started with a key that it cannot use, and that it works with one that it can. */
import { DataNode } from '../support/data-node.js';
import { ScriptedS3, type ScriptedAnswer } from '../s3/scripted-s3.js';
import { describeWithKms } from './describe-with-kms.js';
import { localKms, motoKms } from './kms-server.js';

for (const kind of [motoKms, localKms]) {
  describeWithKms(kind, 'a data node with keys in KMS', (server) => {
    const startedWith = async (key: string, environment: Record<string, string> = {}): Promise<DataNode> =>
      DataNode.start({ ...server().environment, TURSO_BYOC_KEY_SERVICE: `kms:${key}`, ...environment });

    it('keeps databases under a key, names it in them, and logs who used it', async () => {
      const key = await server().newKey();
      const node = await startedWith(await server().newAlias(key));
      try {
        const database = await node.createDatabase('first');
        await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
        await node.end('SIGKILL');
        await node.deleteCache();
        await node.restart();
        expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1']]);
        const lines = node.logLines.filter((line) => line.includes('"key used"')).map((line) => JSON.parse(line));
        const used = lines.filter((line) => line.database === database.id);
        expect(used).toMatchObject([
          { operation: 'generate', outcome: 'done' },
          { operation: 'unwrap', outcome: 'done', key },
          { operation: 'unwrap', outcome: 'done', key },
        ]);
        for (const line of used) {
          expect([line.requestId, line.node, line.epoch, line.time]).not.toContain(undefined);
        }
      } finally {
        await node.dispose();
      }
    });

    it('does not start with a key that is not there', async () => {
      await expect(startedWith('alias/nobody-made-it')).rejects.toThrow(
        /KMS_KEY_MISSING: there is no key kms:alias\/nobody-made-it.*\n.*Create the key/,
      );
    });

    it('does not start where nobody answers', async () => {
      await expect(startedWith('alias/a', { AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1' })).rejects.toThrow(
        /KMS_ENDPOINT_WRONG: nothing that speaks KMS answers/,
      );
    });
  });
}

describeWithKms(localKms, 'a data node', (server) => {
  it.each(['disabled', 'pending-deletion'] as const)('does not start with a key that is %s', async (state) => {
    const key = await server().newKey();
    await server().setState(key, state);
    const environment = { ...server().environment, TURSO_BYOC_KEY_SERVICE: `kms:${key}` };
    await expect(DataNode.start(environment)).rejects.toThrow(/KEY_REVOKED: the key kms:arn.*\n.*Enable the key/);
  });
});

describe('a data node whose KMS refuses it', () => {
  const aws = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  let kms: ScriptedS3;
  beforeEach(async () => {
    kms = await ScriptedS3.start();
  });
  afterEach(async () => kms.stop());

  it.each<[string, RegExp, Record<string, string>]>([
    ['AccessDeniedException', /KMS_ACCESS_DENIED: .*not allowed to use the key kms:alias\/a.*\n.*kms:Decrypt/, {}],
    ['UnrecognizedClientException', /KMS_ACCESS_DENIED/, {}],
    ['NotFoundException', /KMS_KEY_MISSING: .* in eu-west-1 .*\n.*region/, {}],
    ['InvalidKeyUsageException', /KMS_MISCONFIGURED: .*\n.*symmetric/, {}],
    ['KMSInternalException', /KeyServiceUnavailableError/, {}],
    ['any', /KMS_REGION_WRONG: no region.*\n.*region/, { AWS_REGION: '' }],
    ['any', /KMS_CREDENTIALS_MISSING/, { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }],
  ])('does not start after %s, and says what to do: %s', async (name, says, environment) => {
    const refusal: ScriptedAnswer = (response) =>
      response
        .writeHead(name === 'KMSInternalException' ? 500 : 400, { 'content-type': 'application/x-amz-json-1.1' })
        .end(JSON.stringify({ __type: name, message: 'of a test' }));
    kms.otherwise(refusal);
    const region = environment['AWS_REGION'] === '' ? '' : '?region=eu-west-1';
    await expect(
      DataNode.start({
        ...aws,
        AWS_ENDPOINT_URL_KMS: kms.endpoint,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        TURSO_BYOC_KEY_SERVICE: `kms:alias/a${region}`,
        ...environment,
      }),
    ).rejects.toThrow(says);
  });
});
