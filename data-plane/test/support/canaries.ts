/** Texts and keys that must not turn up where they do not belong, and the places that are searched for them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSync, readFileSync, readSync, closeSync } from 'node:fs';

/** A secret in every form in which it could turn up. */
export class Canary {
  readonly #forms: readonly Buffer[];

  constructor(
    readonly name: string,
    bytes: Buffer,
  ) {
    const base64 = bytes.toString('base64').replace(/=+$/, '');
    // In the middle of a longer value base64 begins at another bit; what lies between the ends is then the same.
    const shifted = [1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .slice(4, -4),
    );
    const hex = bytes.toString('hex');
    const texts = [base64, bytes.toString('base64url'), ...shifted, hex, hex.toUpperCase()];
    this.#forms = [bytes, ...texts.map((text) => Buffer.from(text))];
  }

  static ofText(name: string, text: string): Canary {
    return new Canary(name, Buffer.from(text));
  }

  isIn(content: Buffer | string): boolean {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return this.#forms.some((form) => bytes.includes(form));
  }

  /** The same for a lot of memory: only the forms in which the product has a key. */
  isPlainlyIn(bytes: Buffer): boolean {
    return this.#forms.slice(0, 2).some((form) => bytes.includes(form));
  }
}

/** The files below a directory in which, or in whose name, one of the canaries is. The node may remove files meanwhile. */
export async function filesWith(canaries: readonly Canary[], directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await unlessGone(readdir(directory, { withFileTypes: true }), [])) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await filesWith(canaries, path)));
    if (!entry.isFile()) continue;
    const content = Buffer.concat([Buffer.from(path), await unlessGone(readFile(path), Buffer.alloc(0))]);
    for (const canary of canaries) if (canary.isIn(content)) found.push(`${canary.name} in ${path}`);
  }
  return found;
}

async function unlessGone<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  return reading.catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw error;
  });
}

/** Arguments and environment of a process, as anybody on the machine may read them. */
export function commandOf(pid: number): Buffer {
  return Buffer.concat([readFileSync(`/proc/${pid}/cmdline`), readFileSync(`/proc/${pid}/environ`)]);
}

const chunkBytes = 16 * 2 ** 20;
/** Longer than any form of a canary. */
const overlapBytes = 4096;

/** Whether one of the canaries is in the writable memory of a process; undefined when the system lets nobody look. */
export function memoryHas(pid: number, canaries: readonly Canary[]): boolean | undefined {
  let memory: number;
  try {
    memory = openSync(`/proc/${pid}/mem`, 'r');
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    const regions = readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .filter((line) => / rw/.test(line))
      .map((line) => (/^([0-9a-f]+)-([0-9a-f]+)/.exec(line) ?? []).slice(1).map((text) => Number.parseInt(text, 16)));
    const buffer = Buffer.alloc(chunkBytes);
    for (const [start = 0, end = 0] of regions) {
      for (let at = start; at < end; at += chunkBytes - overlapBytes) {
        let length: number;
        try {
          length = readSync(memory, buffer, 0, Math.min(chunkBytes, end - at), at);
        } catch {
          break; // Reserved and never written to.
        }
        const bytes = buffer.subarray(0, length);
        if (canaries.some((canary) => canary.isPlainlyIn(bytes))) return true;
      }
    }
    return false;
  } finally {
    closeSync(memory);
  }
}
