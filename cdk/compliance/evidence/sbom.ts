import { createHash } from 'node:crypto';
import { asList, isObject } from '../assembly/template.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** The workspaces of which an image is made each. */
export const imageWorkspaces = ['data-plane', 'control-plane'] as const;

/** A bill of materials in CycloneDX: what an installation for production of one workspace has, by the lock file. */
export interface BillOfMaterials {
  readonly workspace: string;
  readonly document: Readonly<Record<string, unknown>>;
  readonly components: readonly BillComponent[];
}

export interface BillComponent {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/**
 * Follows dependencies from the workspace through the lock file, as Node.js finds them. (`npm sbom --omit dev` leaves out what is a
 * dependency of the workspace and at the same time of one of its development dependencies, which the default engine is.)
 *
 * @param lock the parsed package-lock.json.
 * @throws Error when the lock file does not know the workspace, or a package that something needs.
 */
export function billOfMaterials(lock: unknown, workspace: string): BillOfMaterials {
  const packages =
    isObject(lock) && isObject(lock['packages']) ? (lock['packages'] as Readonly<Record<string, LockedPackage>>) : {};
  const root = packages[workspace];
  if (!root) throw new Error(`the lock file knows no workspace ${workspace}`);
  const found = new Map<string, LockedPackage>();
  const open = [workspace];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const here = packages[path];
    if (!here || found.has(path)) continue;
    found.set(path, here);
    for (const [name, needed] of dependenciesOf(here)) {
      const target = locate(packages, path, name);
      if (target !== undefined) open.push(target);
      else if (needed) throw new Error(`the lock file does not say where ${path} finds ${name}`);
    }
  }
  found.delete(workspace);
  const listed = [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, entry]) => ({ name: nameOf(path, entry), entry }));
  return {
    workspace,
    components: listed.map(({ name, entry }) => ({
      name,
      version: entry.version ?? 'not stated',
      licence: entry.license ?? 'not stated',
    })),
    document: cycloneDx(root.name ?? workspace, root, listed),
  };
}

/** Names of dependencies, and whether they have to be there. Development dependencies are not installed in an image. */
function dependenciesOf(entry: LockedPackage): readonly (readonly [name: string, needed: boolean])[] {
  const optionalPeer = (name: string) => entry.peerDependenciesMeta?.[name]?.optional === true;
  const optional = Object.keys(entry.optionalDependencies ?? {});
  return [
    ...Object.keys(entry.dependencies ?? {}).map((name) => [name, !optional.includes(name)] as const),
    ...optional.map((name) => [name, false] as const),
    ...Object.keys(entry.peerDependencies ?? {}).map((name) => [name, !optionalPeer(name)] as const),
  ];
}

/** Where Node.js finds a package from a directory: in the nearest node_modules upwards. A link leads to its workspace. */
function locate(packages: Readonly<Record<string, LockedPackage>>, from: string, name: string): string | undefined {
  for (let directory = from; ; directory = directory.slice(0, Math.max(0, directory.lastIndexOf('/')))) {
    const candidate = directory === '' ? `node_modules/${name}` : `${directory}/node_modules/${name}`;
    const entry = packages[candidate];
    if (entry) return entry.link === true ? entry.resolved : candidate;
    if (directory === '') return undefined;
  }
}

function nameOf(path: string, entry: LockedPackage): string {
  return entry.name ?? path.split('node_modules/').pop() ?? path;
}

function cycloneDx(
  name: string,
  root: LockedPackage,
  listed: readonly { readonly name: string; readonly entry: LockedPackage }[],
): Readonly<Record<string, unknown>> {
  const purl = (of: string, version: string) => `pkg:npm/${of.replace('@', '%40')}@${version}`;
  const components = listed.map(({ name: of, entry }) => ({
    'bom-ref': `${of}@${entry.version ?? ''}`,
    type: 'library',
    name: of,
    version: entry.version,
    purl: purl(of, entry.version ?? ''),
    licenses: [{ expression: entry.license ?? 'NOASSERTION' }],
    ...(entry.integrity !== undefined && { hashes: asList(entry.integrity).map((hash) => hashOf(String(hash))) }),
  }));
  // The same lock file gives the same document, serial number included.
  const digest = createHash('sha256')
    .update(JSON.stringify([name, components]))
    .digest('hex');
  const uuid = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `8${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuid.join('-')}`,
    version: 1,
    metadata: { component: { type: 'application', 'bom-ref': name, name, version: root.version } },
    components,
  };
}

/** Integrity as npm writes it, `sha512-<base64>`, as CycloneDX has it. */
function hashOf(integrity: string): { readonly alg: string; readonly content: string } {
  const [algorithm = '', base64 = ''] = integrity.split('-', 2);
  return { alg: algorithm.replace(/^sha/, 'SHA-'), content: Buffer.from(base64, 'base64').toString('hex') };
}

export function billOfMaterialsSection(bills: readonly BillOfMaterials[]): EvidenceSection {
  return evidenceSection({
    id: 'bill-of-materials',
    title: 'Bill of materials of both images',
    statement: [
      ...bills.map(
        ({ workspace, components }) =>
          `${workspace}: ${components.length} packages. In CycloneDX: sbom-${workspace}.cdx.json.`,
      ),
      'Binaries for other platforms than that of the image are listed, too; only one of each is installed. The base image is not in it.',
    ],
    columns: ['Image', 'Package', 'Version', 'Licence'],
    rows: bills.flatMap(({ workspace, components }) =>
      components.map(({ name, version, licence }) => [workspace, name, version, licence]),
    ),
  });
}
