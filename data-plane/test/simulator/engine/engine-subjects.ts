/** The engines that the contract holds for: the real pool of processes, and the model of it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EnginePool } from '@turso-byoc/data-plane/engine/pool/engine-pool.js';
import type { EngineSlot } from '@turso-byoc/data-plane/engine/pool/engine-slot.js';
import type { EnginePlace } from '@turso-byoc/data-plane/engine/pool/engines.js';
import { Sandbox } from '@turso-byoc/data-plane/engine/pool/sandbox.js';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { Machine } from '../world/machine.js';
import { World } from '../world/world.js';
import { ModelEngines } from './model-engines.js';
import type { ModelProcess } from './model-process.js';
import { encodeRequest, type ModelAnswer, type ModelOperation } from './model-protocol.js';

/** One step of a request, in no engine's language. */
export type Step =
  | { readonly do: 'create' | 'begin' | 'commit' | 'rollback' | 'fail' }
  | { readonly do: 'set'; readonly key: string; readonly value: string }
  | { readonly do: 'get'; readonly key: string };

export interface EngineSubject {
  place(id: DatabaseId): Promise<EnginePlace>;
  /** Ends the process as from outside. */
  kill(place: EnginePlace): void;
  /** Waits for what the engine does. */
  run<T>(work: Promise<T>): Promise<T>;
  body(baton: string | null, steps: readonly Step[], close: boolean): Buffer;
  /** The baton, and for each step a value, null, or `error`. */
  parse(body: string): { baton: string | null; values: (string | null)[] };
  stop(): Promise<void>;
}

export async function realEngine(): Promise<EngineSubject> {
  const folder = mkdtempSync(join(tmpdir(), 'engine-contract-'));
  chmodSync(folder, 0o755);
  const cacheDirectory = join(folder, 'cache');
  const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
  const sandbox = await Sandbox.probe({ cacheDirectory, entry: join(dist, 'engine-process.js'), readable: [dist] });
  const pool = await EnginePool.start({
    sandbox,
    cacheDirectory,
    runtime: systemRuntime,
    processesPerEngine: 1,
    metrics: { engineRestarted: () => undefined },
    report: () => undefined,
  });
  const sqlOf = (step: Step): { sql: string; args?: { type: 'text'; value: string }[] } => {
    const text = (value: string) => ({ type: 'text' as const, value });
    switch (step.do) {
      case 'create':
        return { sql: 'CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT)' };
      case 'fail':
        return { sql: 'SELECT nothing FROM nowhere' };
      case 'begin':
        return { sql: 'BEGIN IMMEDIATE' };
      case 'commit':
        return { sql: 'COMMIT' };
      case 'rollback':
        return { sql: 'ROLLBACK' };
      case 'set':
        return { sql: 'INSERT OR REPLACE INTO kv VALUES (?, ?)', args: [text(step.key), text(step.value)] };
      case 'get':
        return { sql: 'SELECT value FROM kv WHERE key = ?', args: [text(step.key)] };
    }
  };
  return {
    place: async (id) => pool.place(id, 'libsql'),
    kill: (place) => process.kill((place as EngineSlot).pid ?? 0, 'SIGKILL'),
    run: async (work) => work,
    body: (baton, steps, close) =>
      Buffer.from(
        JSON.stringify({
          baton,
          requests: [
            ...steps.map((step) => ({ type: 'execute', stmt: sqlOf(step) })),
            ...(close ? [{ type: 'close' }] : []),
          ],
        }),
      ),
    parse: (body) => {
      const { baton, results } = JSON.parse(body) as {
        baton: string | null;
        results: { type: string; response?: { type: string; result?: { rows: { value?: string }[][] } } }[];
      };
      const values = results
        .filter(({ response }) => response?.type !== 'close')
        .map(({ type, response }) => (type === 'error' ? 'error' : (response?.result?.rows[0]?.[0]?.value ?? null)));
      return { baton, values };
    },
    stop: async () => {
      await pool.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function modelEngine(): Promise<EngineSubject> {
  const world = new World(1);
  const engines = new ModelEngines({
    world,
    machine: new Machine(world, 'node'),
    processes: 1,
    statementDeadlineMs: 5_000,
    observer: { line: (id) => [id], opened: () => undefined, committed: () => undefined },
  });
  const operationOf = (step: Step): ModelOperation => {
    switch (step.do) {
      case 'create':
        return { op: 'set', key: 'created', value: 'yes' };
      case 'fail':
        return { op: 'transfer', from: 'nobody', to: 'nobody', amount: 1, id: '1' };
      case 'begin':
      case 'commit':
      case 'rollback':
        return { op: step.do };
      case 'set':
        return { op: 'set', key: step.key, value: step.value };
      case 'get':
        return { op: 'get', key: step.key };
    }
  };
  return {
    place: async (id) => engines.place(id),
    kill: (place) => (place as ModelProcess).kill('killed'),
    run: async (work) => world.run(work, Infinity),
    body: (baton, steps, close) => encodeRequest({ baton, operations: steps.map(operationOf), close }),
    parse: (body) => {
      const { baton, results } = JSON.parse(body) as ModelAnswer;
      return {
        baton,
        values: results.map((result) => ('error' in result ? 'error' : (result.value as string | null))),
      };
    },
    stop: async () => undefined,
  };
}
