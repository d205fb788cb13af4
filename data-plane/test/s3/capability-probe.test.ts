import { capabilityNames, probeCapabilities } from '../../src/object-store/capability-probe.js';
import { openStore } from '../../src/object-store/open-store.js';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import type { S3StoreOptions } from '../../src/object-store/s3/s3-store-options.js';
import { systemRuntime } from '../../src/runtime.js';
import { describeWithServer } from './describe-with-server.js';
import { moto, s3rver, versitygw } from './s3-server.js';

const report = (): void => undefined;
const open = async (options: S3StoreOptions): Promise<unknown> =>
  openStore({ kind: 's3', options }, { runtime: systemRuntime, needs: capabilityNames, report });

for (const kind of [moto, versitygw]) {
  describeWithServer(kind, 'the capability probe', (server) => {
    it('finds every capability and leaves nothing behind', async () => {
      const store = new S3ObjectStore(await server().newStore(), systemRuntime, report);
      const found = await probeCapabilities(systemRuntime, store);
      expect(capabilityNames.filter((name) => found[name] !== undefined)).toEqual([]);
      expect(await store.list('')).toEqual({ keys: [] });
      store.close();
    });

    it('tells a missing bucket from a missing object', async () => {
      const options = await server().newStore();
      await expect(open({ ...options, bucket: 'there-is-no-such-bucket' })).rejects.toMatchObject({
        code: 'STORE_BUCKET_MISSING',
        message: expect.stringContaining('s3://there-is-no-such-bucket/prefix'),
      });
    });

    it('tells a wrong endpoint', async () => {
      const options = await server().newStore();
      await expect(open({ ...options, endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
        code: 'STORE_ENDPOINT_WRONG',
      });
    });
  });
}

describeWithServer(versitygw, 'a server that checks signatures', (server) => {
  it('refuses wrong credentials, and the sentence says so', async () => {
    const options = await server().newStore();
    const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'wrong' };
    await expect(open({ ...options, credentials })).rejects.toMatchObject({ code: 'STORE_ACCESS_DENIED' });
  });

  it('refuses another region, and the sentence says so', async () => {
    const options = await server().newStore();
    await expect(open({ ...options, region: 'eu-west-1' })).rejects.toMatchObject({ code: 'STORE_REGION_WRONG' });
  });
});

describeWithServer(s3rver, 'a server that ignores conditions', (server) => {
  it('is refused', async () => {
    const store = new S3ObjectStore(await server().newStore(), systemRuntime, report);
    const found = await probeCapabilities(systemRuntime, store);
    expect(found.createIfAbsent).toMatch(/a second create-if-absent .* succeeded/);
    expect(found.replaceIfUnchanged).toMatch(/a replace-if-unchanged .* with an old ETag succeeded/);
    expect(found.readAfterWrite).toBeUndefined();
    store.close();
    await expect(open(await server().newStore())).rejects.toMatchObject({ code: 'STORE_INCAPABLE' });
  });
});
