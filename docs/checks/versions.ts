/** Versions that documents name, against the files that decide them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from './documents.js';

/** What is installed, by the name that documents use. */
export function decidedVersions(repository: string): Map<string, string> {
  const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
  const versions = new Map<string, string>();
  for (const path of ['package.json', 'data-plane/package.json', 'control-plane/package.json', 'cdk/package.json']) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(path)) as Record<
      string,
      Record<string, string>
    >;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) versions.set(name, version);
  }
  for (const [name, file, found] of [
    ['moto', '.ci/install-s3-servers', /^moto_version=([\d.]+)$/m],
    ['versitygw', '.ci/install-s3-servers', /^versitygw_version=v([\d.]+)$/m],
    ['s3rver', '.ci/install-s3-servers', /^s3rver_version=([\d.]+)$/m],
    ['pyturso', '.ci/install-python-client', /^pyturso_version=([\d.]+)$/m],
    ['turso', 'data-plane/test/clients/rust/Cargo.toml', /^turso = .*"=([\d.]+)"/m],
    ['Helm', '.ci/install-chart-tools', /^helm_version=v([\d.]+)$/m],
    ['kubeconform', '.ci/install-chart-tools', /^kubeconform_version=v([\d.]+)$/m],
    ['docker.io/library/node', 'data-plane/Dockerfile', /library\/node:(\d+\.\d+\.\d+)/],
  ] as const) {
    const version = found.exec(read(file))?.[1];
    if (version === undefined) throw new Error(`${file} names no version of ${name}`);
    versions.set(name, version);
  }
  return versions;
}

/** Places where a document names another version than the deciding file. The changelog tells of the past and is left out. */
export function wrongVersions(documents: readonly Document[], versions: ReadonlyMap<string, string>): string[] {
  return documents
    .filter(({ path }) => path !== 'CHANGELOG.md' && !path.startsWith('docs/decisions/'))
    .flatMap(({ path, text }) =>
      [...versions].flatMap(([name, version]) => {
        const escaped = name.replace(/[/.]/g, '\\$&');
        const pattern = new RegExp(`(?<![\\w/@-])\`?${escaped}\`?[ @:]v?(\\d+\\.\\d+\\.\\d+)`, 'g');
        return [...text.matchAll(pattern)]
          .filter((found) => found[1] !== version)
          .map((found) => `${path}: ${found[0]}, but it is ${version}`);
      }),
    );
}

/** The release's version wherever it stands. */
export function releaseVersions(repository: string): Map<string, string> {
  const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
  const versions = new Map<string, string>();
  for (const path of ['package.json', 'data-plane/package.json', 'control-plane/package.json', 'cdk/package.json']) {
    versions.set(path, (JSON.parse(read(path)) as { version: string }).version);
  }
  const chart = read('charts/turso-byoc/Chart.yaml');
  versions.set('Chart.yaml version', /^version: (.+)$/m.exec(chart)?.[1] ?? '');
  versions.set('Chart.yaml appVersion', /^appVersion: (.+)$/m.exec(chart)?.[1] ?? '');
  return versions;
}
