/** Who holds the key of a database changes while it is used: the key service, a client, the client with another key. */
import { changeWrappingOfClosed, type WrappingChange } from '../../src/database/change-wrapping.js';
import { ByocError } from '../../src/errors/catalogue.js';
import { own } from '../../src/database/ready-database.js';
import type { CipherName } from '../../src/keys/ciphers.js';
import type { PresentedKey } from '../../src/keys/client-key.js';
import { seededRandom } from '../seeded-random.js';
import { Crash, CrashingStore } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const [id, childId] = [sampleId(1), sampleId(2)];
const keyOf = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
const [first, second] = [
  { key: keyOf(1), cipher: 'aes256gcm' },
  { key: keyOf(2), cipher: 'chacha20poly1305' },
] as const;
const toClient = (holder: { key: string; cipher: CipherName }, from?: PresentedKey): WrappingChange => ({
  ...(from && { encryption: from }),
  to: { mode: 'client', ...holder },
});
const toService = (from?: PresentedKey, keyId?: string): WrappingChange => ({
  ...(from && { encryption: from }),
  to: { mode: 'kms', ...(keyId !== undefined && { keyId }) },
});

let world: StorageWorld;
let node: StorageNode;
let sample: StoredSample;
const random = seededRandom(4);

beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node();
  sample = await node.create(id);
  await sample.write(random, 3);
  await sample.fold();
  await sample.rekey();
  await sample.write(random, 2);
});

/** What opening the database by another node comes to. */
async function met(presented?: PresentedKey): Promise<string> {
  const other = await world.node();
  return world.runtime.run(
    own(other.context, id, { presented }).then(
      ({ unlocked }) => {
        unlocked.wipe();
        return 'opened';
      },
      (error: unknown) => (error instanceof ByocError ? error.code : String(error)),
    ),
  );
}

it('goes from the key service to a client, to its next key, and back, and every commit stays', async () => {
  const wrapped = (): string[] => sample.manifest.keys.map((key) => key.wrapped);
  const seen = [wrapped()];
  for (const [change, presented, refused] of [
    [toClient(first), first, undefined],
    [toClient(second, first), second, first],
    [toService(second), undefined, second],
  ] as const) {
    await sample.changeWrapping(change);
    const { encryption, keys, reservedBytes } = sample.manifest;
    expect(keys.map(({ mode }) => mode)).toEqual([encryption.mode, encryption.mode]);
    expect(reservedBytes).toBe(0);
    for (const before of seen) for (const one of wrapped()) expect(before).not.toContain(one);
    seen.push(wrapped());
    if (presented) world.clientKeys.set(id, presented);
    else world.clientKeys.delete(id);
    await sample.write(random, 1);
    // The same call again changes nothing.
    const { version } = sample.manifest;
    await sample.changeWrapping(change);
    expect(sample.manifest.version).toBe(version);
    expect(await met(refused)).toMatch(/^ENCRYPTION_/);
    node = await world.node();
    sample = await node.open(id);
    await sample.assertHistory();
  }
});

it('needs the key that the client has now, and a well-formed next one', async () => {
  await sample.changeWrapping(toClient(first));
  const { version } = sample.manifest;
  for (const [change, code] of [
    [toClient(second), 'ENCRYPTION_KEY_REQUIRED'],
    [toClient(second, second), 'ENCRYPTION_CIPHER_MISMATCH'],
    [toClient(second, { key: second.key }), 'ENCRYPTION_KEY_WRONG'],
    [toService(), 'ENCRYPTION_KEY_REQUIRED'],
    [toClient({ ...first, key: 'no*base64' }, first), 'ENCRYPTION_KEY_MALFORMED'],
    [toClient({ ...first, key: 'QQ==' }, first), 'ENCRYPTION_KEY_LENGTH'],
  ] as const) {
    await expect(sample.changeWrapping(change)).rejects.toMatchObject({ code });
  }
  world.keys.isDisabled = true;
  await expect(sample.changeWrapping(toService(first))).rejects.toMatchObject({ code: 'KEY_REVOKED' });
  world.keys.isDisabled = false;
  expect((await node.manifest(id)).version).toBe(version);
  expect(await met({ key: first.key })).toBe('opened');
});

it('concerns a branch no more than its parent: each holds keys of its own', async () => {
  const child = await sample.branch(childId);
  await sample.changeWrapping(toClient(first));
  await child.write(random, 1);
  await child.changeWrapping(toClient(second));
  world.clientKeys.set(id, first);
  world.clientKeys.set(childId, second);
  expect(child.manifest.keys.map(({ mode, opens }) => [mode, opens])).toEqual([
    ['client', undefined],
    ['client', id],
    ['client', id],
  ]);
  node = await world.node();
  for (const each of [id, childId]) await (await node.open(each)).assertHistory(each === id ? 0 : 5);
});

it('is done or not done wherever a node dies at it', async () => {
  const commits = sample.sample.commits.length;
  const before = [world.dataStore, world.logStore].map(({ objects }) => ({ objects, were: new Map(objects) }));
  const outcomes = new Set<string>();
  for (let call = 1, isOver = false; !isOver; call++) {
    for (const side of ['before', 'after'] as const) {
      for (const { objects, were } of before) {
        objects.clear();
        for (const [key, object] of were) objects.set(key, object);
      }
      sample.sample.rewindTo(commits);
      const crash = new Crash({ call, side });
      const dying = await world.node((store) => new CrashingStore(world.runtime, store, crash));
      const script = async (): Promise<void> => {
        const found = await dying.context.manifests.read(id);
        await changeWrappingOfClosed(dying.context, found as NonNullable<typeof found>, toClient(first));
      };
      await world.runtime.run(Promise.race([script(), crash.happened]));
      isOver ||= crash.calls < call;
      const { mode } = (await node.manifest(id)).encryption;
      outcomes.add(mode);
      expect(await met(mode === 'client' ? first : undefined)).toBe('opened');
    }
  }
  expect(outcomes).toEqual(new Set(['kms', 'client']));
});
