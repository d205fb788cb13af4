import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineDirectory } from './engine-directory.js';

const isRoot = process.getuid?.() === 0;
const user = isRoot ? { uid: 64_199, gid: 64_199 } : undefined;

describe('EngineDirectory', () => {
  let folder: string;
  let directory: EngineDirectory;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'engine-directory-'));
    directory = EngineDirectory.create(join(folder, 'engine-0'), user);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  it('starts empty, whatever was there', () => {
    writeFileSync(join(directory.path, 'foreign'), 'left over');
    directory = EngineDirectory.create(directory.path, user);
    expect(existsSync(join(directory.path, 'foreign'))).toBe(false);
  });

  it('lets the engine enter but not change the directory itself', () => {
    expect(statSync(directory.path).uid).toBe(process.getuid?.());
    expect(modeOf(directory.path)).toBe(user ? 0o750 : 0o700);
    if (user) expect(statSync(directory.path).gid).toBe(user.gid);
  });

  it('gives a database directory to the engine only when it is handed over', async () => {
    const { path } = await directory.createDatabaseDirectory('one');
    writeFileSync(join(path, 'db'), 'content', { mode: 0o644 });
    expect(statSync(path).uid).toBe(process.getuid?.());
    expect(modeOf(path)).toBe(0o700);
    await directory.handOver(path);
    expect(statSync(path).uid).toBe(user?.uid ?? process.getuid?.());
    expect(statSync(join(path, 'db')).uid).toBe(user?.uid ?? process.getuid?.());
    if (user) expect(modeOf(join(path, 'db'))).toBe(0o600);
  });

  it('takes plain names only and never one twice', async () => {
    for (const name of ['', '.', '..', '../x', 'a/b', '.hidden', 'tmp', 'flight-record']) {
      await expect(directory.createDatabaseDirectory(name)).rejects.toThrow(RangeError);
    }
    await directory.createDatabaseDirectory('one');
    await expect(directory.createDatabaseDirectory('one')).rejects.toThrow('EEXIST');
  });

  it('reads back what the engine wrote, and nothing that it points to', async () => {
    const { path } = await directory.createDatabaseDirectory('one');
    writeFileSync(join(path, 'db'), 'content');
    await directory.handOver(path);
    const handle = await directory.openForReading(path, 'db');
    expect(await handle.readFile('utf8')).toBe('content');
    await handle.close();

    const secret = join(folder, 'secret');
    writeFileSync(secret, 'secret', { mode: 0o600 });
    symlinkSync(secret, join(path, 'symbolic'));
    linkSync(secret, join(path, 'hard'));
    mkdirSync(join(path, 'folder'));
    await expect(directory.openForReading(path, 'symbolic')).rejects.toThrow('ELOOP');
    await expect(directory.openForReading(path, 'hard')).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(directory.openForReading(path, 'folder')).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(directory.openForReading(path, '../one/db')).rejects.toThrow(RangeError);
  });

  it('removes a database directory without following what the engine put there', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    const { path } = await directory.createDatabaseDirectory('one');
    writeFileSync(join(path, 'db'), '');
    await directory.handOver(path);
    symlinkSync(outside, join(path, 'link'));
    await directory.removeDatabaseDirectory('one');
    expect(existsSync(path)).toBe(false);
    expect(existsSync(join(outside, 'kept'))).toBe(true);
    await directory.removeDatabaseDirectory('one');
  });

  it('says that the engine ended when its directory is gone', async () => {
    const { path } = await directory.createDatabaseDirectory('one');
    await directory.remove();
    await expect(directory.createDatabaseDirectory('two')).rejects.toMatchObject({ code: 'ENGINE_RESTARTED' });
    if (user) await expect(directory.handOver(path)).rejects.toMatchObject({ code: 'ENGINE_RESTARTED' });
    await directory.removeDatabaseDirectory('one');
  });
});
