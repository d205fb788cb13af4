import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import type { S3StoreOptions } from '../../src/object-store/s3/s3-store-options.js';
import { systemRuntime } from '../../src/runtime.js';
import { describeObjectStoreContract } from '../object-store-contract.js';
import { describeWithServer } from './describe-with-server.js';
import { moto, versitygw } from './s3-server.js';

for (const kind of [moto, versitygw]) {
  describeWithServer(kind, 'S3 object store', (server) => {
    const reports: string[] = [];
    afterAll(() => expect(reports).toEqual([]));

    const storeOn = (options: S3StoreOptions): S3ObjectStore =>
      // One of the servers answers one request after the other, and slowly where it has to share the processors.
      new S3ObjectStore({ answerTimeoutMs: 30_000, ...options }, systemRuntime, (event) => reports.push(event));

    describeObjectStoreContract(
      `S3 on ${kind.name}`,
      async () => {
        const store = storeOn(await server().newStore());
        return { store, dispose: async () => store.close() };
      },
      kind.storableNames,
    );

    it('keeps stores apart that differ only in their prefix', async () => {
      const options = await server().newStore();
      const [one, other] = ['one', 'one-more'].map((keyPrefix) => storeOn({ ...options, keyPrefix })) as [
        S3ObjectStore,
        S3ObjectStore,
      ];
      expect(await one.put('key', Buffer.from('one'), { ifAbsent: true })).toMatchObject({ won: true });
      expect(await other.put('key', Buffer.from('other'), { ifAbsent: true })).toMatchObject({ won: true });
      expect((await one.get('key'))?.body.toString()).toBe('one');
      expect(await one.list('')).toEqual({ keys: ['key'] });
      await one.delete('key');
      expect((await other.get('key'))?.body.toString()).toBe('other');
      one.close();
      other.close();
    });

    it('lets exactly one of several create an object in parts', async () => {
      const store = storeOn({ ...(await server().newStore()), multipartThresholdBytes: 1 << 20, partBytes: 5 << 20 });
      for (let round = 0; round < 3; round++) {
        const bodies = Array.from({ length: 4 }, (_, racer) => Buffer.alloc(6 << 20, racer + 1));
        const results = await Promise.all(bodies.map((body) => store.put(`race/${round}`, body, { ifAbsent: true })));
        const winners = bodies.filter((_, racer) => results[racer]?.won);
        expect(winners).toHaveLength(1);
        expect((await store.get(`race/${round}`))?.body.equals(winners[0] as Buffer)).toBe(true);
      }
      store.close();
    });
  });
}
