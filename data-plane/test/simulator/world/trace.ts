import { createHash } from 'node:crypto';

/** Everything that happened in a run, in order: as a digest always, as lines on demand. */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly lines: string[] = [];
  #count = 0;

  constructor(private readonly keepsLines: boolean) {}

  get count(): number {
    return this.#count;
  }

  add(atMs: number, who: string, what: string): void {
    this.#count += 1;
    const line = `${atMs.toFixed(3).padStart(11)} ${who.padEnd(8)} ${what}`;
    this.#hash.update(line);
    if (this.keepsLines) this.lines.push(line);
  }

  /** Digest of all lines so far, in hex. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
