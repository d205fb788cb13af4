/** How fast a large database is brought from the store to the local disk, beside reading the same bytes. */
import { unlock } from '@turso-byoc/data-plane/database/database-keys.js';
import { DatabaseFile } from '@turso-byoc/data-plane/engine/pool/database-file.js';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { LocalKeyService } from '@turso-byoc/data-plane/keys/local-key-service.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { openStore } from '@turso-byoc/data-plane/object-store/open-store.js';
import { parseStoreUrl } from '@turso-byoc/data-plane/object-store/store-url.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { SingleLogStore } from '@turso-byoc/data-plane/storage/log-store/single-log-store.js';
import { ManifestStore } from '@turso-byoc/data-plane/storage/manifest-store.js';
import { restore } from '@turso-byoc/data-plane/storage/restore.js';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readDatabaseObjects } from '../measure/read-database-objects.js';
import { medianFigure, singleFigure, target } from '../report/figures.js';
import { DataNode } from '../subjects/data-node.js';
import { delayedStore } from '../subjects/delayed-store.js';
import { Deployment } from '../subjects/deployment.js';
import { createFilled } from '../subjects/filled-database.js';
import { latencies } from '../subjects/latencies.js';
import type { BenchCase } from './bench-case.js';

const mebibyte = 2 ** 20;
const rounds = 7;

export const restoreRateCase: BenchCase = {
  name: 'restore-rate',
  title: 'Restore of a large database',
  explanation:
    'What an open does after its claim: manifest, keys, generation, segments and tail, into a local file. "plain read" reads the ' +
    'same bytes of the same objects and does nothing with them, twelve ranges at a time, in turns with it. Local store, with ' +
    `the latencies of S3 Standard added to each request (read p50 ${latencies.standard.read.p50Ms} p99 ` +
    `${latencies.standard.read.p99Ms} ms); the objects lie in the page cache of the kernel. With TURSO_BYOC_BENCH_DATA_STORE set to ` +
    'the URL of an empty store, from a copy there and without added latencies.',
  run: async ({ budget, directory, progress }) => {
    const deployment = await Deployment.create(join(directory, 'deployment'));
    progress('Restore: filling the database');
    const id = await filledDatabase(deployment, budget.largeBytes);
    const slow = (store: ObjectStore): ObjectStore =>
      delayedStore(store, latencies.standard.read, latencies.standard.write);
    const local = await deployment.openStore('data');
    const url = process.env['TURSO_BYOC_BENCH_DATA_STORE'];
    const dataStore = url === undefined ? slow(local) : await copyOf(local, url);
    const logStore = slow(await deployment.openStore('log'));
    const keys = await LocalKeyService.open(deployment.keyDirectory);
    const restoreMs: number[] = [];
    const cpuMs: number[] = [];
    const plainMs: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      progress(`Restore: ${round + 1} of ${rounds}`);
      const read = await readDatabaseObjects(dataStore, logStore, id);
      bytes = read.bytes;
      plainMs.push(read.elapsedMs);
      const path = join(directory, `restored${round}`);
      const startMs = performance.now();
      const startCpu = process.cpuUsage();
      await restoreInto(path, dataStore, logStore, keys, id);
      restoreMs.push(performance.now() - startMs);
      const { user, system } = process.cpuUsage(startCpu);
      cpuMs.push((user + system) / 1_000);
      await rm(path);
    }
    const [restored, plain] = [medianFigure('restore', 'ms', restoreMs), medianFigure('plain read', 'ms', plainMs)];
    const ratio = plain.value / restored.value;
    const rate = (name: string, ms: number) => singleFigure(name, 'bytes', (bytes / ms) * 1_000);
    return {
      results: [
        {
          case: restoreRateCase.name,
          parameters: {
            size: `${Math.round(budget.largeBytes / mebibyte)} MB`,
            store: url === undefined ? 'local, with latencies' : url,
          },
          figures: [
            restored,
            plain,
            rate('restored each second', restored.value),
            rate('read each second', plain.value),
            singleFigure('rate of the plain read', 'ratio', ratio),
            medianFigure('CPU time of the restore', 'ms', cpuMs),
          ],
        },
      ],
      targets: [target('restore, of the rate of the plain read', 'ratio', ratio, 'at least', 0.5)],
    };
  },
};

/** Copies a data store to the store at `url`, which must be empty. */
async function copyOf(store: ObjectStore, url: string): Promise<ObjectStore> {
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  const copy = await openStore(parseStoreUrl(url, 'bench', endpoint), {
    runtime: systemRuntime,
    needs: ['createIfAbsent'],
    report: () => undefined,
  });
  let after: string | undefined;
  do {
    const page = await store.list('', after === undefined ? {} : { after });
    for (const key of page.keys) {
      const object = await store.get(key);
      if (object) await copy.put(key, object.body, { ifAbsent: true });
    }
    after = page.next;
  } while (after !== undefined);
  return copy;
}

/** Fills a database and ends the node cleanly. */
async function filledDatabase(deployment: Deployment, bytes: number): Promise<DatabaseId> {
  const node = await DataNode.start(deployment);
  try {
    return (await createFilled(node, 'large', bytes)).id;
  } finally {
    await node.stop();
  }
}

async function restoreInto(
  path: string,
  dataStore: ObjectStore,
  logStore: ObjectStore,
  keys: LocalKeyService,
  id: DatabaseId,
): Promise<void> {
  const found = await new ManifestStore(systemRuntime, dataStore).read(id);
  if (!found) throw new Error('the manifest is missing');
  const { manifest } = found;
  const unlocked = await unlock(systemRuntime, keys, manifest);
  try {
    await restore(await DatabaseFile.create(path), {
      runtime: systemRuntime,
      dataStore,
      logStore: new SingleLogStore(systemRuntime, logStore),
      sealer: unlocked.sealer,
      reservedBytes: manifest.reservedBytes,
      generation: manifest.generation,
      carried: manifest.carried,
      ranges: manifest.tail,
    });
  } finally {
    unlocked.wipe();
  }
}
