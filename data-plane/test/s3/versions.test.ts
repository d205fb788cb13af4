/** Versions of an object in a versioned bucket, on real S3 servers of others: those beside the present one can be destroyed. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import type { S3StoreOptions } from '../../src/object-store/s3/s3-store-options.js';
import { systemRuntime } from '../../src/runtime.js';
import type { ETag } from '../../src/object-store/object-store.js';
import { describeWithServer } from './describe-with-server.js';
import { moto, versitygw } from './s3-server.js';

describeWithServer(moto, 'versions of objects', (server) => {
  let options: S3StoreOptions;
  let store: S3ObjectStore;
  let client: S3Client;
  beforeEach(async () => {
    options = await server().newStore();
    store = new S3ObjectStore(options, systemRuntime, () => undefined);
    const { region, endpoint, credentials } = options;
    client = new S3Client({
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials && { credentials }),
      forcePathStyle: true,
    });
  });
  afterEach(() => {
    store.close();
    client.destroy();
  });

  const versioning = async (Status: 'Enabled' | 'Suspended'): Promise<unknown> =>
    client.send(new PutBucketVersioningCommand({ Bucket: options.bucket, VersioningConfiguration: { Status } }));

  async function write(key: string, ...bodies: string[]): Promise<void> {
    let etag: ETag | undefined = (await store.get(key))?.etag;
    for (const body of bodies) {
      const written = await store.put(key, Buffer.from(body), etag ? { ifMatch: etag } : { ifAbsent: true });
      if (!written.won) throw new Error('lost');
      ({ etag } = written);
    }
  }

  it('are found and destroyed, all but the present one, and no other object is touched', async () => {
    await versioning('Enabled');
    await write('manifest', 'one', 'two', 'three');
    await write('manifest-of-another', 'a', 'b');
    const older = await store.versions.older('manifest');
    expect(older).toHaveLength(2);
    for (const version of older) {
      await store.versions.remove('manifest', version);
      await store.versions.remove('manifest', version);
      const read = client.send(
        new GetObjectCommand({ Bucket: options.bucket, Key: `${options.keyPrefix}/manifest`, VersionId: version }),
      );
      await expect(read).rejects.toMatchObject({ $metadata: { httpStatusCode: 404 } });
    }
    expect(await store.versions.older('manifest')).toEqual([]);
    expect((await store.get('manifest'))?.body.toString()).toBe('three');
    expect(await store.versions.older('manifest-of-another')).toHaveLength(1);
  });

  it('are found though versioning was suspended since, and beside delete markers', async () => {
    await versioning('Enabled');
    await write('manifest', 'one', 'two');
    await client.send(new DeleteObjectCommand({ Bucket: options.bucket, Key: `${options.keyPrefix}/manifest` }));
    await write('manifest', 'three');
    await versioning('Suspended');
    const older = await store.versions.older('manifest');
    expect(older).toHaveLength(2);
    // This release of moto deletes the whole object where versioning is suspended and one version is to go.
    await versioning('Enabled');
    for (const version of older) await store.versions.remove('manifest', version);
    const left = await client.send(
      new ListObjectVersionsCommand({ Bucket: options.bucket, Prefix: `${options.keyPrefix}/manifest` }),
    );
    expect(left.Versions?.map(({ IsLatest }) => IsLatest)).toEqual([true]);
    expect((await store.get('manifest'))?.body.toString()).toBe('three');
  });

  it('are none in a bucket that keeps none', async () => {
    await write('manifest', 'one', 'two');
    expect(await store.versions.older('manifest')).toEqual([]);
    expect(await store.versions.older('absent')).toEqual([]);
  });

  it('are not taken for none when they cannot be listed', async () => {
    const other = new S3ObjectStore({ ...options, bucket: 'no-such-bucket' }, systemRuntime, () => undefined);
    await expect(other.versions.older('manifest')).rejects.toThrow(/NoSuchBucket/);
    other.close();
  });
});

describeWithServer(versitygw, 'versions of objects in a store without any', (server) => {
  it('are none', async () => {
    const store = new S3ObjectStore(await server().newStore(), systemRuntime, () => undefined);
    const written = await store.put('manifest', Buffer.from('one'), { ifAbsent: true });
    if (!written.won) throw new Error('lost');
    await store.put('manifest', Buffer.from('two'), { ifMatch: written.etag });
    expect(await store.versions.older('manifest')).toEqual([]);
    store.close();
  });
});
