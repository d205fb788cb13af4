import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf } from '../../compliance/assembly/synthesized-app.js';
import { controlMatrix, controlMatrixSection } from '../../compliance/evidence/control-matrix.js';
import { evidenceSections, writeEvidence } from '../../compliance/evidence/evidence-pack.js';
import { measures, type Measure } from '../../compliance/evidence/measures.js';
import { networkReachability } from '../../compliance/evidence/network-reachability.js';
import { removeSynthesized, synthesizedExample } from '../support/synthesized-example.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
afterAll(removeSynthesized);

const { app } = synthesizedExample('production');
const options = {
  deployment: 'production',
  madeAt: new Date('2026-11-26T08:00:00Z'),
  bills: [
    {
      workspace: 'data-plane',
      document: { bomFormat: 'CycloneDX' },
      components: [{ name: 'a', version: '1', licence: 'MIT' }],
    },
  ],
  nag: { packs: ['TursoByoc'], findings: [], acknowledgements: [] },
};
const sections = new Map(evidenceSections(app, options).map((section) => [section.id, section]));

describe('the control matrix', () => {
  const all: readonly (readonly [string, Measure])[] = Object.entries(measures);

  it('names frameworks, and each control of one once', () => {
    expect(new Set(controlMatrix.map(({ framework }) => framework))).toEqual(
      new Set(['SOC 2', 'ISO 27001:2022', 'HIPAA', 'PCI DSS 4.0', 'NIST 800-53 r5']),
    );
    const ids = controlMatrix.map(({ framework, id }) => `${framework} ${id}`);
    expect(new Set(ids).size).toBe(ids.length);
    expect(controlMatrix.every(({ measures: names }) => names.length > 0)).toBe(true);
    expect(new Set(controlMatrix.flatMap(({ measures: names }) => names))).toEqual(new Set(Object.keys(measures)));
  });

  it.each(all)('%s: every resource type is in the production example', (_, { resources }) => {
    expect(resources.filter((type) => resourcesOf(app, type).length === 0)).toEqual([]);
  });

  it.each(all)('%s: every test exists, in the words that are given for it', (_, { tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const { file, name } of tests) {
      expect({ file, exists: existsSync(join(root, file)) }).toEqual({ file, exists: true });
      const text = readFileSync(join(root, file), 'utf8');
      expect({ file, name, found: text.includes(name) }).toEqual({ file, name, found: true });
    }
  });

  it('has a resource and a test in each line', () => {
    const { rows } = controlMatrixSection(app);
    expect(rows.length).toBeGreaterThanOrEqual(controlMatrix.length);
    for (const [, , , , resources, tests] of rows) {
      expect(resources).not.toBe('');
      expect(tests).not.toBe('');
    }
  });
});

describe('the evidence of the production example', () => {
  it('lists every statement of every role, and that none is bounded by nothing', () => {
    const { statement, rows } = sections.get('iam-inventory')!;
    expect(statement[0]).toContain('Each has a permissions boundary.');
    expect(statement[2]).toBe('No policy admits a principal of another account.');
    expect(
      rows.some(
        ([holder, , effect, , actions]) =>
          holder?.endsWith('control-plane') && effect === 'Allow' && actions?.includes('kms:Sign'),
      ),
    ).toBe(true);
    expect(
      rows.some(([holder, policy]) => holder?.startsWith('arn:aws:s3:::') && policy?.startsWith('resource policy')),
    ).toBe(true);
  });

  it('says what reaches it and what it reaches', () => {
    const { statement, rows } = sections.get('network-reachability')!;
    expect(statement[1]).toMatch(/^Load balancers that face the internet: /);
    expect(rows.filter(([kind]) => kind === 'interface endpoint').length).toBeGreaterThan(4);
    expect(rows.some(([kind, , , to]) => kind === 'gateway endpoint' && to === 's3express')).toBe(true);
  });

  it('says of a private one that nothing leads to the internet', () => {
    const { app: airGapped } = synthesizedExample('air-gapped');
    const { statement, rows } = networkReachability(airGapped, new IntrinsicFunctions(airGapped));
    expect(statement[0]).toContain('no internet gateway, no NAT gateway and no route to everywhere');
    expect(statement[1]).toBe('No load balancer faces the internet.');
    expect(statement[2]).toBe('No security group admits all addresses.');
    expect(rows.some((row) => row.includes('internet'))).toBe(false);
  });

  it('keeps everything in one region of one account', () => {
    const { statement, rows } = sections.get('data-residency')!;
    expect(statement[0]).toContain('all of them in region us-east-1 of account 111122223333');
    expect(statement[1]).toContain('No bucket replicates');
    expect(rows.every(([, , , account, region]) => account === '111122223333' && region === 'us-east-1')).toBe(true);
    expect(rows.filter(([type]) => type === 'AWS::S3Express::DirectoryBucket')).toHaveLength(3);
  });

  it('names each key, what it encrypts, and that nobody both administers and uses one', () => {
    const { statement, rows } = sections.get('key-map')!;
    expect(statement[0]).toContain('Each symmetric one rotates.');
    expect(statement[1]).toBe('No principal of the deployment can both administer a key and use it.');
    expect(rows.length).toBeGreaterThanOrEqual(7);
    const data = rows.find(([, , aliases]) => aliases?.endsWith('/data'))!;
    expect(data[6]).toContain('AWS::S3::Bucket');
    const databases = rows.find(([, , aliases]) => aliases?.endsWith('/databases'))!;
    expect(databases[7]).toBe('turso-byoc-production-data-node, turso-byoc-production-emergency');
    expect(databases[8]).toBe('whom IAM policies of the account allow it');
  });

  it('says of each log how long it is kept', () => {
    const { statement, rows } = sections.get('log-map')!;
    expect(statement[0]).toContain('Each keeps them for a stated time.');
    expect(
      rows
        .filter(([kind]) => kind === 'log group')
        .every(([, , , kept, key]) => /^\d+ days$/.test(kept!) && key!.startsWith('arn:aws:kms:')),
    ).toBe(true);
    expect(rows.some(([kind, , , kept]) => kind === 'locked bucket' && kept === 'locked for 2192 days')).toBe(true);
    expect(rows.some(([kind, , , , , protectedBy]) => kind === 'trail' && protectedBy === 'digest files')).toBe(true);
  });

  it('is written as a page, and each part as CSV', () => {
    const directory = mkdtempSync(join(tmpdir(), 'evidence-test-'));
    try {
      const files = writeEvidence(app, options, directory);
      expect(files).toEqual([
        'index.html',
        'evidence.json',
        ...[
          'control-matrix',
          'iam-inventory',
          'network-reachability',
          'data-residency',
          'key-map',
          'log-map',
          'rule-packs',
          'bill-of-materials',
        ].map((id) => `${id}.csv`),
        'sbom-data-plane.cdx.json',
      ]);
      const page = readFileSync(join(directory, 'index.html'), 'utf8');
      for (const { title } of sections.values()) expect(page).toContain(`<h2>${title}`);
      expect(page).toContain('2026-11-26T08:00:00.000Z');
      expect(page).not.toContain('[object Object]');
      const { sections: parsed } = JSON.parse(readFileSync(join(directory, 'evidence.json'), 'utf8')) as {
        sections: unknown[];
      };
      expect(parsed).toHaveLength(8);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
