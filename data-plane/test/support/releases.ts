/**
 * Two releases of the product in one checkout: this one, and one like the next, whose format level 2 has manifests with
 * one more field.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeProgram, type Mutation } from './broken-node.js';
import type { DataNode, NodeProgram } from './data-node.js';

export interface Release {
  readonly environment: Record<string, string>;
  readonly program: NodeProgram;
}

const levelTwo: readonly Mutation[] = [
  { file: 'storage/format-level.js', from: 'newestFormatLevel = 1;', to: 'newestFormatLevel = 2;' },
  {
    file: 'storage/manifest.js',
    from: "export const storedManifest = new StoredJson('turso-byoc/manifest/1', {",
    to: 'export const storedManifest = inTwoVersions({',
  },
  {
    file: 'storage/manifest.js',
    from: '//# sourceMappingURL=manifest.js.map',
    to: `function inTwoVersions(schema) {
      const properties = { ...schema.properties, writer: { type: 'string' } };
      return new StoredJson([
        { format: 'turso-byoc/manifest/1', level: 1, schema, toStored: ({ writer, ...rest }) => rest },
        { format: 'turso-byoc/manifest/2', level: 2, schema: { ...schema, properties } },
      ]);
    }`,
  },
  {
    file: 'storage/manifest-store.js',
    from: 'const manifest = { ...next, version: base.manifest.version + 1 };',
    to: "const manifest = { ...next, version: base.manifest.version + 1, writer: 'the next release' };",
  },
];

export const thisRelease: Release = { environment: {}, program: {} };

export const nextRelease: Release = nodeProgram({ mutation: levelTwo });

/**
 * The next release, for which somebody announces a raise to a level that it does not read, at the moment at which it has
 * announced itself.
 */
export const overtakenRelease: Release = nodeProgram({
  mutation: {
    file: 'node/node-core.js',
    from: 'await core.#watch.start();',
    to: `await core.#watch.start();
      const { replaceFormatLevel } = await import('../storage/format-level-record.js');
      await replaceFormatLevel(runtime, dataStore, await readFormatLevel(runtime, dataStore), { level: 1, raisingTo: 2 });`,
  },
});

const run = promisify(execFile);
const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/node/format-level-command.js'));

/** Runs `npm run format-level` of a release on the stores of a node. */
export async function formatLevel(
  release: Release,
  node: DataNode,
  ...commandArguments: string[]
): Promise<{ code: number; output: string; errors: string }> {
  const { nodeArguments = [] } = release.program;
  const env = { ...process.env, ...release.environment, TURSO_BYOC_STORE_DIR: node.storeDirectory };
  try {
    const { stdout, stderr } = await run(process.execPath, [...nodeArguments, command, ...commandArguments], { env });
    return { code: 0, output: stdout, errors: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout, errors: stderr };
  }
}
