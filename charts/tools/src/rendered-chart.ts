import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

export const chartDirectory = fileURLToPath(new URL('../../turso-byoc', import.meta.url));

/** A Kubernetes object as the chart renders it. */
export interface Manifest {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

/** The program, where it was installed; `.ci/install-chart-tools` says where that is. */
export function chartTool(name: 'helm' | 'kubeconform'): string | undefined {
  const path = process.env[`TURSO_BYOC_TEST_${name.toUpperCase()}`];
  return path !== undefined && path !== '' && existsSync(path) ? path : undefined;
}

/** The values files of the matrix, by their name without `-values.yaml`. */
export async function chartCases(): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(join(chartDirectory, 'ci'))).filter((name) => name.endsWith('-values.yaml')).sort();
  return new Map([
    ['local', join(chartDirectory, 'values.local.yaml')],
    ...names.map((name) => [name.replace('-values.yaml', ''), join(chartDirectory, 'ci', name)] as const),
  ]);
}

/** The text that `helm template` renders for a release of that name. Rejects with what Helm has to say. */
export async function renderText(
  helm: string,
  valuesFile: string,
  sets: readonly string[] = [],
  { release, namespace } = { release: 'release', namespace: 'turso' },
): Promise<string> {
  const argv = ['template', release, chartDirectory, '--namespace', namespace, '--values', valuesFile];
  const { stdout } = await run(helm, [...argv, ...sets.flatMap((set) => ['--set-json', set])], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}

/** What kubeconform says of a text: the objects that the API of Kubernetes would not take, and how many it took. */
export interface Conformity {
  readonly resources: readonly unknown[];
  readonly summary: Readonly<Record<'valid' | 'invalid' | 'errors' | 'skipped', number>>;
}

/** Holds a rendered text against the schemas in a directory, to the last field. */
export async function conformityOf(kubeconform: string, schemas: string, text: string): Promise<Conformity> {
  const directory = await mkdtemp(join(tmpdir(), 'rendered-'));
  try {
    const file = join(directory, 'rendered.yaml');
    await writeFile(file, text);
    const location = join(schemas, '{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json');
    const argv = ['-strict', '-summary', '-output', 'json', '-schema-location', location, file];
    // It ends with a failure when it found something, which is an answer like any other.
    const { stdout } = await run(kubeconform, argv).catch((error: unknown) => error as { stdout: string });
    return JSON.parse(stdout) as Conformity;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The objects of a rendered text. Throws what the parser has against it. */
export function parseManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    const value = document.toJSON() as Manifest | null;
    return value === null ? [] : [value];
  });
}
