import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isByocError } from '../src/errors/catalogue.js';
import { nodeFileLayer, type FileLayer, type OpenFile } from '../src/object-store/file-layer.js';
import { LocalObjectStore } from '../src/object-store/local-object-store.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../src/object-store/object-store.js';
import { ForgetfulFileLayer } from './forgetful-file-layer.js';
import { PowerLossWorkload } from './power-loss-workload.js';
import { seededRandom, testSeeds, type SeededRandom } from './seeded-random.js';

const cycles = 3;
/** More than the operations of a whole workload, so that some losses of power come when nothing is going on. */
const maxOperations = 600;

type Mutation = (files: FileLayer) => FileLayer;

/** Runs the workload with a loss of power at the end of each cycle; returns the promises that were broken. */
async function losePower(seed: number, mutate: Mutation = (files) => files): Promise<string[]> {
  const random = seededRandom(seed);
  const base = await mkdtemp(join(tmpdir(), 'power-loss-'));
  const workload = new PowerLossWorkload(random);
  let disk = `${base}/disk-0`;
  try {
    await mkdir(disk);
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const files = await ForgetfulFileLayer.open(
        disk,
        `${base}/shadows-${cycle}`,
        seededRandom(random.below(2 ** 32)),
      );
      files.losePowerAfter(random.below(maxOperations));
      const damaged = await violationOf(() =>
        untilPowerLoss(async () => workload.run(await open(`${disk}/parent/store`, mutate(files), random))),
      );
      if (damaged !== undefined) return [damaged];
      disk = `${base}/disk-${cycle}`;
      await files.crash(disk);
      const broken = await violationOf(async () =>
        workload.check(await open(`${disk}/parent/store`, nodeFileLayer, random)),
      );
      if (broken !== undefined) return [broken];
      if (workload.violations.length > 0) return workload.violations;
    }
    return [];
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function open(directory: string, files: FileLayer, random: SeededRandom): Promise<LocalObjectStore> {
  return LocalObjectStore.open(directory, {
    files,
    random: (bytes) => random.bytes(bytes),
    liveness: { pid: 1, scope: '0'.repeat(16), isAlive: () => false },
    nowMs: () => 0,
    onCleanupError: () => undefined,
  });
}

/** The error that says that stored bytes are damaged, as text. */
async function violationOf(check: () => Promise<void>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (isByocError(error)) return error.message;
    throw error;
  }
}

async function untilPowerLoss(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof OutcomeUnknownError || error instanceof StoreUnavailableError)) throw error;
  }
}

/** A layer whose functions are those of `files`, save the given ones. */
function changed(files: FileLayer, changes: Partial<FileLayer>): FileLayer {
  const bound: FileLayer = {
    create: (path) => files.create(path),
    openForReading: (path) => files.openForReading(path),
    openForWriting: (path) => files.openForWriting(path),
    link: (existingPath, newPath) => files.link(existingPath, newPath),
    unlink: (path) => files.unlink(path),
    rename: (oldPath, newPath) => files.rename(oldPath, newPath),
    makeDirectory: (path) => files.makeDirectory(path),
    removeDirectory: (path) => files.removeDirectory(path),
    status: (path) => files.status(path),
    names: (directory) => files.names(directory),
    streamNames: (directory) => files.streamNames(directory),
    syncDirectory: (directory) => files.syncDirectory(directory),
  };
  return { ...bound, ...changes };
}

function changedFile(file: OpenFile, changes: Partial<OpenFile>): OpenFile {
  const bound: OpenFile = {
    append: (parts) => file.append(parts),
    read: (buffer, position) => file.read(buffer, position),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    status: () => file.status(),
    sync: () => file.sync(),
    close: () => file.close(),
  };
  return { ...bound, ...changes };
}

const done = (): Promise<void> => Promise.resolve();

const mutations: Record<string, Mutation> = {
  'files are not fsynced': (files) =>
    changed(files, { create: async (path) => changedFile(await files.create(path), { sync: done }) }),
  'directories are not fsynced': (files) => changed(files, { syncDirectory: done }),
  'only the directory of the object is fsynced, not those above it': (files) =>
    changed(files, {
      syncDirectory: (directory) => (/,d$/.test(directory) ? files.syncDirectory(directory) : done()),
    }),
  'readers do not care whether what they found is durable': (files) =>
    changed(files, {
      openForReading: async (path) => {
        const file = await files.openForReading(path);
        return changedFile(file, { status: async () => ({ ...(await file.status()), links: 1 }) });
      },
    }),
};

describe('a local object store after losses of power', () => {
  it.each(testSeeds(40))('has kept every promise (seed %i)', async (seed) => {
    expect({ SEED: seed, violations: await losePower(seed) }).toEqual({ SEED: seed, violations: [] });
  });

  it.each(Object.entries(mutations))('is caught breaking promises when %s', async (_, mutation) => {
    for (let seed = 1; seed <= 100; seed++) if ((await losePower(seed, mutation)).length > 0) return;
    throw new Error('no seed found the mutation');
  });
});
