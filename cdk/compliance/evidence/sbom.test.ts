import { readFileSync } from 'node:fs';
import { billOfMaterials, billOfMaterialsSection, imageWorkspaces } from './sbom.js';

const lock: unknown = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8'));

describe('the bill of materials of an image', () => {
  const bills = imageWorkspaces.map((workspace) => billOfMaterials(lock, workspace));
  const components = bills.flatMap((bill) => bill.components);

  it('names what the image runs, also where it is a development dependency elsewhere', () => {
    const [data, control] = bills.map((bill) => bill.components.map(({ name }) => name));
    expect(data).toEqual(
      expect.arrayContaining(['fastify', 'libsql', '@libsql/linux-arm64-gnu', '@aws-sdk/client-s3', 'pino']),
    );
    expect(control).toEqual(expect.arrayContaining(['fastify', '@libsql/client', '@turso-byoc/data-plane', 'jose']));
  });

  it('has no copyleft, no tool of the tests and nothing of the CDK', () => {
    expect(components.filter(({ licence }) => /GPL/i.test(licence))).toEqual([]);
    expect(
      components.filter(({ name }) => /iam-simulate|aws-cdk|cdk-nag|jest|eslint|fast-check|typescript$/.test(name)),
    ).toEqual([]);
  });

  it('says a version and a licence of each', () => {
    expect(components.filter(({ version, licence }) => version === 'not stated' || licence === 'not stated')).toEqual(
      [],
    );
    const { rows, statement } = billOfMaterialsSection(bills);
    expect(rows).toHaveLength(components.length);
    expect(statement[0]).toContain(`data-plane: ${bills[0]!.components.length} packages`);
  });

  it('is CycloneDX with hashes, the same each time', () => {
    const { document } = bills[0]!;
    expect(document).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      serialNumber: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
    });
    const fastify = (
      document['components'] as { name: string; purl: string; hashes: { alg: string; content: string }[] }[]
    ).find(({ name }) => name === 'fastify')!;
    expect(fastify.purl).toMatch(/^pkg:npm\/fastify@5\./);
    expect(fastify.hashes).toEqual([{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }]);
    expect(billOfMaterials(lock, 'data-plane').document).toEqual(document);
  });
});

describe('a lock file', () => {
  const packages = {
    app: { version: '1.0.0', dependencies: { a: '1', shared: '1' }, devDependencies: { tool: '1' } },
    'node_modules/a': {
      version: '1.0.0',
      license: 'MIT',
      dependencies: { shared: '2', tool: '1' },
      optionalDependencies: { native: '1' },
    },
    'node_modules/a/node_modules/shared': { version: '2.0.0', license: 'MIT' },
    'node_modules/shared': { version: '1.0.0', license: 'MIT' },
    'node_modules/tool': { version: '1.0.0', license: 'ISC', dev: true },
    'node_modules/unused': { version: '1.0.0', license: 'GPL-3.0' },
  };
  const names = (lockFile: object) =>
    billOfMaterials(lockFile, 'app').components.map(({ name, version }) => `${name}@${version}`);

  it('is followed as Node.js finds packages, nested ones first', () => {
    expect(names({ packages })).toEqual(['a@1.0.0', 'shared@2.0.0', 'shared@1.0.0', 'tool@1.0.0']);
  });

  it('has to know the workspace and every package that is needed', () => {
    expect(() => billOfMaterials({ packages }, 'nowhere')).toThrow('knows no workspace nowhere');
    expect(() => billOfMaterials({}, 'app')).toThrow('knows no workspace app');
    const { 'node_modules/shared': _, ...without } = packages;
    expect(() => names({ packages: without })).toThrow('does not say where app finds shared');
  });
});
