import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileLayer, type FileLayer, type OpenFile } from '../src/object-store/file-layer.js';
import { LocalObjectStore } from '../src/object-store/local-object-store.js';

const directories: string[] = [];

/** A new directory that `removeTemporaryDirectories` removes. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-test-'));
  directories.push(directory);
  return directory;
}

/** A real local object store in a temporary directory, without fsync: no test that uses it loses power. */
export async function temporaryStore(): Promise<LocalObjectStore> {
  return LocalObjectStore.open(await temporaryDirectory(), { files: withoutSync });
}

/** To be called after every test. */
export async function removeTemporaryDirectories(): Promise<void> {
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
}

const unsynced = async (opening: Promise<OpenFile>): Promise<OpenFile> => {
  const file = await opening;
  return {
    append: (parts) => file.append(parts),
    read: (buffer, position) => file.read(buffer, position),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    status: () => file.status(),
    sync: async () => undefined,
    close: () => file.close(),
  };
};

const withoutSync: FileLayer = {
  ...nodeFileLayer,
  create: (path) => unsynced(nodeFileLayer.create(path)),
  openForReading: (path) => unsynced(nodeFileLayer.openForReading(path)),
  openForWriting: (path) => unsynced(nodeFileLayer.openForWriting(path)),
  syncDirectory: async () => undefined,
};
