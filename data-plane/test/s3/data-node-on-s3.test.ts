import { verificationKeysObject } from '../../src/auth/claims.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import { systemRuntime } from '../../src/runtime.js';
import { DataNode } from '../support/data-node.js';
import { describeWithServer } from './describe-with-server.js';
import { moto, s3rver, versitygw } from './s3-server.js';

for (const kind of [moto, versitygw]) {
  describeWithServer(kind, 'a data node on S3', (server) => {
    it('loses nothing when it is killed, and ends cleanly', async () => {
      const options = await server().newStore();
      const url = (name: string): string => `s3://${options.bucket}/deployment/${name}`;
      const node = await DataNode.start({
        ...server().environment,
        TURSO_BYOC_COMMIT_WINDOW_MS: '50',
        TURSO_BYOC_DATA_STORE: url('data'),
        TURSO_BYOC_LOG_STORE: url('log'),
      });
      try {
        const database = await node.createDatabase('first');
        await node.run(database, 'CREATE TABLE t (n INTEGER)');
        for (let n = 0; n < 5; n++) await node.run(database, `INSERT INTO t VALUES (${n})`);
        await node.end('SIGKILL');
        await node.deleteCache();

        const published = new S3ObjectStore(
          { ...options, keyPrefix: 'deployment/control' },
          systemRuntime,
          () => undefined,
        );
        const local = await LocalObjectStore.open(`${node.storeDirectory}/control`);
        const keys = await local.get(verificationKeysObject);
        await published.put(verificationKeysObject, keys?.body as Buffer, { ifAbsent: true });
        published.close();

        await node.restart({ TURSO_BYOC_CONTROL_STORE: url('control') });
        expect(await node.run(database, 'SELECT n FROM t')).toEqual([['0'], ['1'], ['2'], ['3'], ['4']]);
        await node.run(database, 'INSERT INTO t VALUES (5)');
        await node.end('SIGTERM');
        await node.deleteCache();
        await node.restart();
        expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['6']]);
      } finally {
        await node.dispose();
      }
    });

    it('does not start on a bucket that is not there', async () => {
      const starting = DataNode.start({
        ...server().environment,
        TURSO_BYOC_DATA_STORE: 's3://there-is-no-such-bucket/data',
      });
      await expect(starting).rejects.toThrow(/STORE_BUCKET_MISSING: .*s3:\/\/there-is-no-such-bucket\/data/);
    });
  });
}

describeWithServer(versitygw, 'a data node', (server) => {
  const starting = async (environment: Record<string, string>, parameters = ''): Promise<unknown> => {
    const { bucket } = await server().newStore();
    const url = `s3://${bucket}/deployment/data${parameters}`;
    return DataNode.start({ ...server().environment, ...environment, TURSO_BYOC_DATA_STORE: url });
  };

  it('does not start without permission, and says what to do', async () => {
    await expect(starting({ AWS_SECRET_ACCESS_KEY: 'wrong' })).rejects.toThrow(
      /STORE_ACCESS_DENIED: the credentials of this process are not allowed to use the store s3:.*\n.*(policy|permission|allow)/i,
    );
  });

  it('does not start with a bucket in another region, and says what to do', async () => {
    await expect(starting({}, '?region=eu-west-1')).rejects.toThrow(
      /STORE_REGION_WRONG: the bucket of the store s3:.*\n.*Name the region of the bucket/,
    );
  });
});

describeWithServer(s3rver, 'a data node', (server) => {
  it('does not start on a store that ignores conditions', async () => {
    const { bucket } = await server().newStore();
    const starting = DataNode.start({ ...server().environment, TURSO_BYOC_LOG_STORE: `s3://${bucket}/log` });
    await expect(starting).rejects.toThrow(/STORE_INCAPABLE: .*createIfAbsent: a second create-if-absent/);
  });
});
