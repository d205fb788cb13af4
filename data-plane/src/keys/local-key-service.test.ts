import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { ForgetfulFileLayer } from '../../test/forgetful-file-layer.js';
import { seededRandom, testSeeds } from '../../test/seeded-random.js';
import { nodeFileLayer } from '../object-store/file-layer.js';
import { KeyDirectory } from './key-directory.js';
import { KeyFileError } from './key-file.js';
import { KeyRefusedError, KeyServiceUnavailableError, type EncryptionContext } from './key-service.js';
import { createKey, listKeys, LocalKeyService, setKeyState } from './local-key-service.js';

const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };
const run = promisify(execFile);
const dist = resolve(dirname(fileURLToPath(import.meta.url)), '../../dist/keys');

let base: string;
let directory: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'local-keys-'));
  directory = join(base, 'keys');
});
afterEach(async () => rm(base, { recursive: true, force: true }));

describe('the local key service in its directory', () => {
  it('keeps others out and its default key', async () => {
    const first = await LocalKeyService.open(directory, { nowMs: () => 1234 });
    const { wrapped } = await first.generateWrappedDataKey(first.defaultKeyId, context);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'default.key'))).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['default.key']);
    const second = await LocalKeyService.open(directory);
    expect(await second.unwrap(second.defaultKeyId, wrapped, context)).toEqual(
      await first.unwrap(first.defaultKeyId, wrapped, context),
    );
    expect(await listKeys(directory)).toEqual([{ id: 'default', state: 'enabled', createdAtMs: 1234 }]);
  });

  it('refuses files and directories that others can read', async () => {
    const service = await LocalKeyService.open(directory);
    await chmod(join(directory, 'default.key'), 0o640);
    await expect(service.generateWrappedDataKey('default', context)).rejects.toThrow(KeyServiceUnavailableError);
    await expect(LocalKeyService.open(directory)).rejects.toThrow(KeyServiceUnavailableError);
    await expect(setKeyState(directory, 'default', 'disabled')).rejects.toThrow(KeyFileError);
    await chmod(join(directory, 'default.key'), 0o600);
    await chmod(directory, 0o755);
    await expect(LocalKeyService.open(directory)).rejects.toThrow(/chmod 0700/);
  });

  it('does not make a new default key when the old one cannot be read', async () => {
    await LocalKeyService.open(directory);
    await writeFile(join(directory, 'default.key'), 'damaged');
    await expect(LocalKeyService.open(directory)).rejects.toThrow(KeyServiceUnavailableError);
    expect(await readFile(join(directory, 'default.key'), 'utf8')).toBe('damaged');
  });

  it.each(['../default', 'a/b', '', 'A', '.', 'default.key', 'x'.repeat(65)])('has no key %p', async (id) => {
    const service = await LocalKeyService.open(directory);
    await expect(service.generateWrappedDataKey(id, context)).rejects.toThrow(KeyRefusedError);
    await expect(setKeyState(directory, id, 'disabled')).rejects.toThrow(KeyFileError);
    await expect(createKey(directory, id, 0)).rejects.toThrow(KeyFileError);
  });

  it('keeps a key when it is created again', async () => {
    const service = await LocalKeyService.open(directory);
    const { wrapped } = await service.generateWrappedDataKey('default', context);
    await createKey(directory, 'default', 0);
    expect(await service.unwrap('default', wrapped, context)).toHaveLength(32);
  });

  it('agrees on one default key with processes that open at the same moment', async () => {
    const script = `
      import { LocalKeyService } from ${JSON.stringify(pathToFileURL(join(dist, 'local-key-service.js')).href)};
      const service = await LocalKeyService.open(process.argv[1]);
      const { wrapped } = await service.generateWrappedDataKey(service.defaultKeyId, ${JSON.stringify(context)});
      process.stdout.write(wrapped.toString('hex'));`;
    const outputs = await Promise.all(
      Array.from({ length: 6 }, () => run(process.execPath, ['--input-type=module', '-e', script, directory])),
    );
    const service = await LocalKeyService.open(directory);
    for (const { stdout } of outputs) {
      expect(await service.unwrap('default', Buffer.from(stdout, 'hex'), context)).toHaveLength(32);
    }
    expect(await readdir(directory)).toEqual(['default.key']);
  });

  it('removes key material that a dead process left behind, once it is old', async () => {
    await LocalKeyService.open(directory);
    for (const name of ['old', 'young']) {
      await writeFile(join(directory, `${name}.0011223344556677.new`), 'material', { mode: 0o600 });
    }
    await utimes(join(directory, 'old.0011223344556677.new'), 0, 0);
    await LocalKeyService.open(directory);
    expect(await readdir(directory)).toEqual(['default.key', 'young.0011223344556677.new']);
  });

  it.each(testSeeds(30))('loses no key and no state with the power (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const disk = join(base, 'disk');
    await mkdir(disk);
    const files = await ForgetfulFileLayer.open(disk, join(base, 'shadows'), random);
    files.losePowerAfter(random.below(60));
    let wrapped: Buffer | undefined;
    let isDisabled = false;
    try {
      const service = await LocalKeyService.open(join(disk, 'keys'), { files });
      ({ wrapped } = await service.generateWrappedDataKey('default', context));
      const keys = await KeyDirectory.open(files, join(disk, 'keys'), { create: false });
      await keys.create('second', 0);
      await keys.setState('second', 'disabled');
      isDisabled = true;
    } catch (error) {
      expect(String(error)).toContain('the power is gone');
    }
    const after = join(base, 'after');
    await files.crash(after);
    const service = await LocalKeyService.open(join(after, 'keys'));
    if (wrapped !== undefined) expect(await service.unwrap('default', wrapped, context)).toHaveLength(32);
    const keys = await KeyDirectory.open(nodeFileLayer, join(after, 'keys'), { create: false });
    const states = (await keys.list()).map(({ id, state }) => `${id} ${state}`);
    expect(states).toContain('default enabled');
    if (isDisabled) expect(states).toContain('second disabled');
  });
});

describe('the local-key command', () => {
  const command = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, [join(dist, 'local-key-command.js'), ...args, '--directory', directory])).stdout;

  it('lists keys and changes their state for a running service', async () => {
    const service = await LocalKeyService.open(directory, { nowMs: () => 0 });
    await command('create', 'tenant-a');
    expect(await command('list')).toMatch(/^default\tenabled\t1970-01-01T00:00:00\.000Z\ntenant-a\tenabled\t.*Z\n$/);
    for (const [verb, state] of [
      ['disable', 'disabled'],
      ['schedule-deletion', 'pending-deletion'],
    ] as const) {
      await command(verb, 'default');
      expect(await command('list')).toContain(`default\t${state}\t`);
      await expect(service.generateWrappedDataKey('default', context)).rejects.toThrow(KeyRefusedError);
    }
    await command('enable', 'default');
    expect((await service.generateWrappedDataKey('default', context)).wrapped).toHaveLength(61);
  });

  it.each([
    [],
    ['list', 'x'],
    ['disable'],
    ['disable', 'a', 'b'],
    ['destroy', 'default'],
    ['disable', 'unknown'],
    ['list', '--wrong'],
  ])('fails with a message when the arguments are wrong (%#)', async (...args: string[]) => {
    await LocalKeyService.open(directory);
    await expect(command(...args)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^local-key: /) as string,
    });
  });
});
