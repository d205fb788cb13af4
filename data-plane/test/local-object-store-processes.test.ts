import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LocalObjectStore } from '../src/object-store/local-object-store.js';
import { filesBelow } from './files-below.js';
import { seededRandom, testSeeds } from './seeded-random.js';

const childScript = join(dirname(fileURLToPath(import.meta.url)), 'object-store-child.js');
const absent = { ifAbsent: true } as const;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'object-store-processes-'));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

class Child {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  stderr = '';

  constructor(...args: string[]) {
    this.process = spawn(process.execPath, [childScript, directory, ...args]);
    this.process.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.process.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  /** The next line it printed, parsed; undefined after the last. */
  async line<T>(): Promise<T | undefined> {
    const next = await this.#lines.next();
    return next.done === true ? undefined : (JSON.parse(next.value) as T);
  }
}

/** Starts 8 processes, lets them go at the same moment, returns what each printed at its end. */
async function race<T>(argsOf: (racer: number) => string[]): Promise<T[]> {
  const children = Array.from({ length: 8 }, (_, racer) => new Child(...argsOf(racer)));
  for (const child of children) if ((await child.line()) !== 'ready') throw new Error(child.stderr);
  for (const child of children) child.process.stdin.write('go\n');
  return Promise.all(
    children.map(async (child) => {
      const result = await child.line<T>();
      if (result === undefined) throw new Error(child.stderr);
      return result;
    }),
  );
}

describe('a local object store used by several processes', () => {
  it('lets exactly one of 8 create an object, and opens for all of them at once', async () => {
    const rounds = 50;
    const wins = await race<number[]>((racer) => ['create', 'race/', String(rounds), String(racer)]);
    const store = await LocalObjectStore.open(directory);
    for (let round = 0; round < rounds; round++) {
      const winners = wins.flatMap((won, racer) => (won.includes(round) ? [String(racer)] : []));
      expect(winners).toHaveLength(1);
      expect((await store.get(`race/${round}`))?.body.toString()).toBe(winners[0]);
    }
  });

  it('loses no update of 8 that replace one object', async () => {
    const store = await LocalObjectStore.open(directory);
    await store.put('counter', Buffer.from('0'), absent);
    await race(() => ['increment', 'counter', '25']);
    expect((await store.get('counter'))?.body.toString()).toBe('200');
    expect(await filesBelow(join(directory, 'objects', 'counter,v'))).toHaveLength(1);
  });

  it.each(testSeeds(3))('survives the death of a writer at any moment (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    for (let death = 0; death < 8; death++) {
      const child = new Child('churn', String(death));
      const settled = new Map<string, number | undefined>();
      let begun: { key: string; count: number } | undefined;
      let lines = random.below(60);
      for (;;) {
        const line = await child.line<string | { key: string; begin?: number; won?: number; deleted?: number }>();
        if (line === undefined) break;
        if (typeof line === 'object') {
          if (line.begin !== undefined) begun = { key: line.key, count: line.begin };
          else settled.set(line.key, line.won);
        }
        if (lines-- === 0) setTimeout(() => child.process.kill('SIGKILL'), random.below(5));
      }
      if (child.process.signalCode === null && child.process.exitCode === null) await once(child.process, 'exit');
      expect({ seed, death, stderr: child.stderr }).toEqual({ seed, death, stderr: '' });

      const store = await LocalObjectStore.open(directory);
      expect(await filesBelow(join(directory, 'tmp'))).toEqual([]);
      for (const [key, count] of settled) {
        const body = (await store.get(key))?.body.toString();
        const bodies = [count, begun?.key === key ? begun.count : count].map((of) =>
          of === undefined ? undefined : churnBody(death, key, of),
        );
        if (begun?.key === key) bodies.push(undefined);
        expect(bodies).toContain(body);
      }
      const { keys } = await store.list('churn/');
      for (const key of keys) {
        const object = await store.get(key);
        if (object === undefined) throw new Error(`${key} is listed but absent`);
        expect((await store.put(key, object.body, { ifMatch: object.etag })).won).toBe(true);
      }
      // Also the absent ones: a deletion that was cut short is finished by deleting again.
      for (let key = 0; key < 5; key++) await store.delete(`churn/${key}`);
      expect(await filesBelow(join(directory, 'objects'))).toEqual([]);
      await store.close();
    }
  });
});

/** What a churning child writes. */
function churnBody(seed: number, key: string, count: number): string {
  return Buffer.alloc(1 + ((seed * 31 + count * 7919) % 40_000), `${key}:${count};`).toString();
}
