import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const chunkBytes = 16 * 2 ** 20;

/** Which of the needles occur in the readable memory of a process, by their names. Linux; needs the right to trace it. */
export function foundInMemory(pid: number, needles: Readonly<Record<string, Buffer>>): Set<string> {
  const longest = Math.max(...Object.values(needles).map(({ length }) => length));
  const found = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const [start, end] of readableRegions(pid)) {
      // Chunks overlap, so that what lies across two is found.
      for (let at = start; at < end; at += chunkBytes - longest) {
        const chunk = Buffer.alloc(Math.min(chunkBytes, end - at));
        let length: number;
        try {
          length = readSync(memory, chunk, 0, chunk.length, at);
        } catch {
          break; // The region is gone, or belongs to a device.
        }
        for (const [name, needle] of Object.entries(needles)) {
          if (!found.has(name) && chunk.subarray(0, length).includes(needle)) found.add(name);
        }
        if (at + chunk.length >= end) break;
      }
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

function readableRegions(pid: number): [number, number][] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, start, end, name] = /^([0-9a-f]+)-([0-9a-f]+) r\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
      if (start === undefined || end === undefined || name?.startsWith('[v')) return [];
      return [[parseInt(start, 16), parseInt(end, 16)] as [number, number]];
    });
}

/** A secret as it may lie in memory or stand in a text. */
export function writtenForms(name: string, secret: Buffer): Record<string, Buffer> {
  return {
    [`${name}, raw`]: secret,
    [`${name}, hex`]: Buffer.from(secret.toString('hex')),
    [`${name}, base64`]: Buffer.from(secret.toString('base64').replace(/=+$/, '')),
    [`${name}, base64url`]: Buffer.from(secret.toString('base64url')),
  };
}
