import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '../../src/identity.js';
import { hostileCorpus } from './corpus.js';
import { withPaths, type HostileCase, type HostilePaths } from './hostile-case.js';

const program = fileURLToPath(new URL('run-cases.js', import.meta.url));
const secret = 'the marker file was read';
/** A hanging case ends after this; how far it came by then does not matter. */
const longestCaseMs = 8_000;
/** Only a machine that stands still lets the refused cases, which all run in one child, take this long. */
const longestRunMs = 300_000;
/** Kilobytes of data an engine process may have; keeps the memory cases from hurting the machine of the test. */
const dataLimitKb = 1_500_000;

interface Step {
  readonly stage: 'gate' | 'execution' | 'done';
  readonly rows?: string;
  readonly error?: { readonly name: string; readonly code?: string; readonly message: string };
}
interface Outcome {
  readonly index: number;
  readonly steps: readonly Step[];
  readonly setupError?: unknown;
}

/** The folders of one run: databases in one, what must stay untouched in another. */
class Sandbox {
  private readonly root = mkdtempSync(join(tmpdir(), 'hostile-sql-'));
  private readonly databases = join(this.root, 'databases');
  readonly paths: HostilePaths;

  constructor() {
    const folder = join(this.root, 'outside');
    mkdirSync(folder);
    mkdirSync(this.databases);
    this.paths = { folder, marker: join(folder, 'marker.txt'), fresh: join(folder, 'fresh') };
    writeFileSync(this.paths.marker, secret);
  }

  /** Runs the cases in one child; the outcomes stop at the case that the child died of. */
  run(
    engine: EngineName,
    cases: readonly { index: number; hostile: HostileCase }[],
  ): { outcomes: Outcome[]; stderr: string } {
    const input = join(this.root, 'cases.json');
    const filled = cases.map(({ index, hostile }) => ({ index, hostile: withPaths(hostile, this.paths) }));
    writeFileSync(input, JSON.stringify({ engine, folder: this.databases, cases: filled }));
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', `ulimit -c 0; ulimit -d ${dataLimitKb}; exec "$0" "$@"`, process.execPath, program, input],
      {
        encoding: 'utf8',
        timeout: cases.length === 1 ? longestCaseMs : longestRunMs,
        killSignal: 'SIGKILL',
        cwd: this.root,
      },
    );
    const lines = stdout.split('\n').filter((line) => line.endsWith('}'));
    return { outcomes: lines.map((line) => JSON.parse(line) as Outcome), stderr };
  }

  /** Nothing outside was read, listed or written, and no database showed where it lies. */
  expectUntouched(outcomes: readonly Outcome[]): void {
    expect(readdirSync(this.paths.folder)).toEqual(['marker.txt']);
    expect(readFileSync(this.paths.marker, 'utf8')).toBe(secret);
    expect(existsSync(this.paths.fresh)).toBe(false);
    for (const { steps } of outcomes) {
      for (const { rows, error } of steps) {
        for (const text of [rows ?? '', error?.message ?? '']) {
          expect(text).not.toContain(secret);
          expect(text).not.toContain(this.databases);
        }
        expect(rows ?? '').not.toContain('marker.txt');
      }
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

describe.each(['libsql', 'tursodb'] as const)('hostile SQL on %s', (engine) => {
  const cases = hostileCorpus
    .map((hostile, index) => ({ index, hostile }))
    .filter(({ hostile }) => hostile.engine === engine || hostile.engine === 'both');
  const refused = cases.filter(({ hostile }) => hostile.expectation === 'refused');
  const contained = cases.filter(({ hostile }) => hostile.expectation === 'contained');
  const sandbox = new Sandbox();
  let outcomes = new Map<number, Outcome>();
  let childStderr = '';

  beforeAll(() => {
    const result = sandbox.run(engine, refused);
    outcomes = new Map(result.outcomes.map((outcome) => [outcome.index, outcome]));
    childStderr = result.stderr;
  }, longestRunMs);
  afterAll(() => {
    sandbox.remove();
  });

  it.each(refused.map((entry) => [entry.hostile.name.slice(0, 100), entry] as const))(
    'refuses %s',
    (_name, { index }) => {
      const outcome = outcomes.get(index);
      if (outcome === undefined)
        throw new Error(`the process died before or in this case: ${childStderr.slice(0, 2000)}`);
      expect(outcome.setupError).toBeUndefined();
      const last = outcome.steps.at(-1);
      expect(last).toMatchObject({ stage: 'gate' });
      expect(last?.error?.code).toMatch(/^SQL/);
      expect(last?.error?.message).not.toBe('');
      sandbox.expectUntouched([outcome]);
    },
  );

  it.each(contained.map((entry) => [entry.hostile.name.slice(0, 100), entry] as const))(
    'lets %s cost at most its process',
    (_name, entry) => {
      const result = sandbox.run(engine, [entry]);
      for (const { setupError } of result.outcomes) expect(setupError).toBeUndefined();
      sandbox.expectUntouched(result.outcomes);
    },
  );
});
