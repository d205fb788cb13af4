import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const appendBytes = 4096;
const appends = 200;

/** How long each of 200 times "append 4 KiB, fsync" took on the file system of `directory`, in milliseconds. */
export async function fsyncLatenciesMs(directory: string): Promise<number[]> {
  const path = join(directory, 'fsync-latency');
  const file = await open(path, 'wx', 0o600);
  const latencies: number[] = [];
  try {
    const block = Buffer.alloc(appendBytes, 1);
    for (let at = 0; at < appends; at++) {
      const startMs = performance.now();
      await file.write(block);
      await file.sync();
      latencies.push(performance.now() - startMs);
    }
  } finally {
    await file.close();
    await rm(path);
  }
  return latencies;
}
