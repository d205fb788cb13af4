/** The audit log in a store of its own, which can be one whose objects nobody replaces or deletes. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import pino from 'pino';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { fileStore, type StoreLocation } from '@turso-byoc/data-plane/object-store/store-url.js';
import { describeWithServer } from '../../data-plane/test/s3/describe-with-server.js';
import { moto, versitygw } from '../../data-plane/test/s3/s3-server.js';
import { AuditExporter } from '../src/audit/audit-exporter.js';
import { openAuditStore } from '../src/audit/audit-store.js';
import { restoreAuditLog } from '../src/audit/restore-audit.js';
import { verifyAudit } from '../src/audit/verify-audit.js';
import { publishVerificationKey } from '../src/auth/verification-keys.js';
import { systemClock } from '../src/clock.js';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { startLocalSystemForTests } from './support/local-system-for-tests.js';
import { newSigner } from './support/new-signer.js';

const logger = pino({ level: 'silent' });
const verifyCommand = fileURLToPath(new URL('../dist/audit/verify-audit-command.js', import.meta.url));

let api: ApiForTests;
let directory: string;
beforeEach(async () => {
  api = await startApiForTests();
  directory = await mkdtemp(join(tmpdir(), 'audit-store-'));
});
afterEach(async () => {
  await api.close();
  await rm(directory, { recursive: true });
});

const openBoth = async (location: StoreLocation): ReturnType<typeof openAuditStore> =>
  openAuditStore({
    location,
    control: api.store,
    signer: api.signer,
    published: await publishVerificationKey(api.store, api.signer),
    logger,
  });

const open = async (location: StoreLocation): Promise<ObjectStore> => (await openBoth(location)).store;

const exportTo = async (store: ConstructorParameters<typeof AuditExporter>[0], ...groups: string[]): Promise<void> => {
  for (const name of groups) await api.call('POST', '/v1/groups', { name });
  await api.audit.settled();
  await new AuditExporter(store, api.signer, api.catalog, systemClock, logger).exportNow();
};

describe('a store of its own for the audit log', () => {
  it('proves the log without the control store, and brings it back into a catalog that lost it', async () => {
    const store = await open(fileStore(directory));
    await exportTo(store, 'a', 'b');
    expect([...api.store.objects.keys()].filter((key) => key.startsWith('audit'))).toEqual([]);
    expect(await verifyAudit(await LocalObjectStore.open(directory))).toMatchObject({
      objects: 1,
      faults: [],
      head: { sequence: 2 },
    });
    await api.catalog.write(['DELETE FROM audit_log', 'UPDATE audit_export SET sequence = 0']);
    expect(await restoreAuditLog(store, api.catalog, logger)).toBe(2);
  });

  it('takes over what was exported to the control store before, once, and goes on after it', async () => {
    await exportTo(api.store, 'a');
    await exportTo(api.store, 'b');
    const store = await open(fileStore(directory));
    await exportTo(store, 'c');
    // Another replica, and every later start.
    await open(fileStore(directory));
    expect(await verifyAudit(store)).toMatchObject({ objects: 3, faults: [], head: { sequence: 3 } });
    expect([...api.store.objects.keys()].filter((key) => key.startsWith('audit/'))).toHaveLength(2);
  });

  it('copies what a replica of before still exports while the deployment is updated, and goes on after that', async () => {
    await exportTo(api.store, 'a');
    const { store, earlier } = await openBoth(fileStore(directory));
    await exportTo(api.store, 'b');
    await api.call('POST', '/v1/groups', { name: 'c' });
    await api.audit.settled();
    await new AuditExporter(store, api.signer, api.catalog, systemClock, logger, undefined, earlier).exportNow();
    expect(await verifyAudit(store)).toMatchObject({ objects: 3, faults: [], head: { sequence: 3 } });
  });

  it('names a key that is none among the faults', async () => {
    const store = await open(fileStore(directory));
    await exportTo(store, 'a');
    await store.put('audit-keys/other.json', Buffer.from('{}'), { ifAbsent: true });
    expect((await verifyAudit(store)).faults).toContainEqual(expect.stringMatching(/other\.json is no public key/));
  });

  it('gives a catalog of an earlier time the end of its log back, and the chain goes on', async () => {
    const store = await open(fileStore(directory));
    await exportTo(store, 'a');
    await exportTo(store, 'b', 'c');
    await exportTo(store, 'd');
    // As a backup has it that was taken when "b" was done and not exported yet.
    await api.catalog.write(['DELETE FROM audit_log WHERE sequence > 2', 'UPDATE audit_export SET sequence = 1']);
    expect(await restoreAuditLog(store, api.catalog, logger)).toBe(2);
    expect(await restoreAuditLog(store, api.catalog, logger)).toBe(0);
    await exportTo(store, 'e');
    expect(await verifyAudit(store)).toMatchObject({ objects: 4, faults: [], head: { sequence: 5 } });
  });

  it('takes nothing into a catalog that has gone another way, and says so at the next export', async () => {
    const store = await open(fileStore(directory));
    await exportTo(store, 'a');
    await exportTo(store, 'b', 'c');
    await exportTo(store, 'd', 'e');
    await api.catalog.write(['DELETE FROM audit_log WHERE sequence > 1', 'UPDATE audit_export SET sequence = 1']);
    // Longer than the first of the objects that it should have had back.
    for (const name of ['another', 'way', 'further']) await api.call('POST', '/v1/groups', { name });
    await api.audit.settled();
    expect(await restoreAuditLog(store, api.catalog, logger)).toBe(0);
    expect((await api.catalog.read('SELECT sequence FROM audit_export')).rows).toEqual([{ sequence: 1 }]);
    await expect(exportTo(store)).rejects.toMatchObject({ code: 'AUDIT_DAMAGED' });
  });

  it('keeps every key that signed, and refuses another one under the same name', async () => {
    await exportTo(await open(fileStore(directory)), 'a');
    const next = await newSigner();
    const published = await publishVerificationKey(api.store, next);
    const options = { location: fileStore(directory), control: api.store, published, logger };
    await openAuditStore({ ...options, signer: next });
    expect((await verifyAudit(await LocalObjectStore.open(directory))).faults).toEqual([]);
    const signer = { ...next, kid: api.signer.kid, publicKey: next.publicKey };
    await expect(openAuditStore({ ...options, signer })).rejects.toMatchObject({ code: 'AUDIT_DAMAGED' });
  });

  it('refuses one that holds the log of another deployment', async () => {
    await exportTo(await open(fileStore(directory)), 'a');
    const other = await startApiForTests();
    try {
      const published = await publishVerificationKey(other.store, other.signer);
      const { store: control, signer } = other;
      await expect(
        openAuditStore({ location: fileStore(directory), control, signer, published, logger }),
      ).rejects.toMatchObject({ code: 'SETTING_INVALID', message: expect.stringMatching(/another deployment/) });
    } finally {
      await other.close();
    }
  });
});

it('a control plane exports to the store that it is told, and the command proves it from there', async () => {
  const url = pathToFileURL(directory).href;
  const system = await startLocalSystemForTests({ environment: { TURSO_BYOC_AUDIT_STORE: url } });
  try {
    await system.api.groups.create('team', 'local');
  } finally {
    await system.system.stop();
  }
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [verifyCommand, '--store', url]);
    expect(stdout).toMatch(/^1 objects, 1 entries, head 1:/);
    const control = await LocalObjectStore.open(join(system.dataDirectory, 'store', 'control'));
    expect((await control.list('audit')).keys).toEqual([]);
  } finally {
    await system.stop();
  }
});

for (const kind of [moto, versitygw]) {
  describeWithServer(kind, 'an audit log under object lock', (server) => {
    it('is exported there and verified, and nobody can delete what was exported', async () => {
      const { region, endpoint, credentials, keyPrefix } = await server().newStore();
      const bucket = `locked-${process.pid}`;
      const client = new S3Client({
        region: region!,
        endpoint: endpoint!,
        credentials: credentials!,
        forcePathStyle: true,
      });
      try {
        await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
        await client.send(
          new PutObjectLockConfigurationCommand({
            Bucket: bucket,
            ObjectLockConfiguration: {
              ObjectLockEnabled: 'Enabled',
              Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } },
            },
          }),
        );
        const location = {
          kind: 's3',
          options: { bucket, keyPrefix, region: region!, endpoint: endpoint!, credentials: credentials! },
        } as const;
        const store = await open(location);
        await exportTo(store, 'a', 'b');
        await open(location);
        await exportTo(store, 'c');
        const { Versions: versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
        // Two exports and one key, each written once.
        expect(versions).toHaveLength(3);
        for (const { Key, VersionId } of versions) {
          // One of the servers keeps no versions, and refuses to delete the object.
          const isVersioned = VersionId !== undefined && VersionId !== 'null';
          const deleting = client.send(
            new DeleteObjectCommand({ Bucket: bucket, Key, ...(isVersioned && { VersionId }) }),
          );
          await expect(deleting).rejects.toMatchObject({ name: 'AccessDenied' });
        }
        expect(await verifyAudit(store)).toMatchObject({ objects: 2, faults: [], head: { sequence: 3 } });
      } finally {
        client.destroy();
      }
    });
  });
}
