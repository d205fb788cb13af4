/**
 * Prisma's schema engine, which `prisma migrate` drives, as WebAssembly: the command itself downloads a native one from
 * outside the npm registry when it is first run.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { PrismaLibSql } from '@prisma/adapter-libsql';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';

interface EngineModule {
  readonly SchemaEngine: typeof SchemaEngine;
  readonly __wbg_set_wasm: (exports: Exports) => void;
}

type Exports = Readonly<Record<string, () => void>>;
/** Node.js has it; its types are those of browsers, which this project does not take. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => { readonly exports: Exports };
  };
};

const require = createRequire(import.meta.url);

let loaded: Promise<EngineModule> | undefined;

/** Once: the package keeps the memory of its one instance in variables of its own. */
async function load(): Promise<EngineModule> {
  const entry = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const engine = (await import('@prisma/schema-engine-wasm/schema_engine_bg')) as unknown as EngineModule;
  const module = new WebAssembly.Module(readFileSync(join(dirname(entry), 'schema_engine_bg.wasm')));
  const instance = new WebAssembly.Instance(module, { './schema_engine_bg.js': engine });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports['__wbindgen_start']?.();
  return engine;
}

/** Opens the engine on the database that the adapter connects to. To be freed by the caller. */
export async function openSchemaEngine(adapter: PrismaLibSql, schema: string): Promise<SchemaEngine> {
  loaded ??= load();
  const { SchemaEngine } = await loaded;
  const datamodels: [string, string][] = [['schema.prisma', schema]];
  return SchemaEngine.new({ datamodels }, () => undefined, bindMigrationAwareSqlAdapterFactory(adapter));
}

/** A directory of migrations as `prisma migrate` keeps it: each has a name and a script. */
export function migrationList(migrations: Readonly<Record<string, string>>): MigrationList {
  return {
    baseDir: '/migrations',
    lockfile: { path: './migration_lock.toml', content: 'provider = "sqlite"\n' },
    shadowDbInitScript: '',
    migrationDirectories: Object.entries(migrations).map(([path, script]) => ({
      path,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: script } },
    })),
  };
}
