/** The one contract between the CDK app and the chart: what `npm run chart-values` writes is rendered by Helm as it stands. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chartValues, clusterManifests } from '@turso-byoc/cdk/config/chart-values.js';
import type { DeploymentConfiguration } from '@turso-byoc/cdk/config/deployment-configuration.js';
import { kubernetes } from '@turso-byoc/cdk/config/kubernetes.js';
import { validateConfiguration } from '@turso-byoc/cdk/config/validate-configuration.js';
import { deployment } from '@turso-byoc/cdk/examples/eks.js';
import { nodeSettings } from '@turso-byoc/data-plane/node/settings.js';
import { readConfig } from '../../../control-plane/dist/config.js';
import { manifestFaults } from './manifest-faults.js';
import { chartTool, conformityOf, parseManifests, renderText } from './rendered-chart.js';

const helm = chartTool('helm');
const kubeconform = chartTool('kubeconform');
const schemas = process.env['TURSO_BYOC_TEST_KUBERNETES_SCHEMAS'];

const outputs = {
  DatabasesKeyArn: 'arn:aws:kms:us-west-2:111122223333:key/0b0c0d0e-1111-2222-3333-444455556666',
  NodesTargetGroupArn: 'arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/nodes/0123456789abcdef',
  ControlTargetGroupArn: 'arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/control/0123456789abcdef',
};

const variants: Readonly<Record<string, DeploymentConfiguration>> = {
  'the example, its log in three zones': deployment,
  'a log in one zone': { ...deployment, log: { kind: 'express', zoneId: deployment.zones[0]!.id } },
  'a regional log, and nodes of another size': {
    ...deployment,
    log: { kind: 'standard' },
    dataNodes: { minimum: 2, maximum: 9, cpuUnits: 4096, memoryMiB: 16384, cacheGiB: 100 },
  },
};

if (helm === undefined) {
  it('skipped: no Helm given (set TURSO_BYOC_TEST_HELM, see .ci/install-chart-tools)', () => {
    process.stderr.write("the chart with the CDK's values: skipped, no Helm given\n");
  });
} else {
  describe.each(Object.entries(variants))('the chart with the values of %s', (_, input) => {
    const configuration = validateConfiguration(input);
    const { compute } = configuration;
    if (compute.kind !== 'eks') throw new Error('the chart is for EKS');
    let text: string;
    let manifests: Record<string, any>[];

    beforeAll(async () => {
      const directory = await mkdtemp(join(tmpdir(), 'cdk-values-'));
      try {
        const file = join(directory, 'values.json');
        await writeFile(file, JSON.stringify(chartValues(configuration, outputs)));
        text = await renderText(helm, file, [], kubernetes);
        manifests = parseManifests(text);
      } finally {
        await rm(directory, { recursive: true });
      }
    });
    const ofKind = (kind: string): Record<string, any>[] => manifests.filter((manifest) => manifest['kind'] === kind);
    const settings = (component: 'data' | 'control'): Record<string, string>[] =>
      ofKind('ConfigMap')
        .filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'] === component)
        .map(({ data }) => data);

    it('has no fault that the scan knows, and runs the images of the configuration', () => {
      expect(parseManifests(text).flatMap((manifest) => manifestFaults(manifest))).toEqual([]);
      const images = ofKind('Deployment').map(({ spec }) => spec.template.spec.containers[0].image);
      expect(new Set(images)).toEqual(new Set([configuration.images.dataPlane, configuration.images.controlPlane]));
    });

    it('gives both programs settings that they take, with the stores and the key of the stacks', () => {
      expect(settings('data').length).toBeGreaterThan(0);
      for (const data of settings('data')) {
        expect(nodeSettings(data)).toMatchObject({
          keyService: { kind: 'kms', options: { keyId: outputs.DatabasesKeyArn, region: 'us-west-2' } },
          historyDays: configuration.retention.pointInTimeDays,
        });
      }
      for (const data of settings('control')) {
        expect(readConfig(data)).toMatchObject({
          apiPort: 8081,
          auditStore: { kind: 's3', options: { bucket: expect.stringMatching(/-audit-/), keyPrefix: 'platform' } },
        });
      }
    });

    it('has the accounts that the cluster gives roles to, and the services that the load balancer is bound to', () => {
      const accounts = ofKind('ServiceAccount').map(({ metadata }) => metadata.name);
      expect(accounts).toEqual(expect.arrayContaining(Object.values(kubernetes.serviceAccounts)));
      const { items } = clusterManifests(configuration, compute, outputs) as { items: Record<string, any>[] };
      const bindings = items.filter(({ kind }) => kind === 'TargetGroupBinding');
      expect(bindings).toHaveLength(2);
      for (const { metadata, spec } of bindings) {
        expect(metadata.namespace).toBe(kubernetes.namespace);
        const service = ofKind('Service').find((each) => each['metadata'].name === spec.serviceRef.name);
        expect(service?.['spec'].ports.map(({ port }: { port: number }) => port)).toContain(spec.serviceRef.port);
      }
    });

    if (kubeconform === undefined || !schemas) {
      it('skipped: no kubeconform or no schemas given (set TURSO_BYOC_TEST_KUBECONFORM)', () => {
        process.stderr.write("the CDK's values against the API of Kubernetes: skipped, no kubeconform given\n");
      });
    } else {
      it('is what the API of Kubernetes takes, to the last field', async () => {
        expect(await conformityOf(kubeconform, schemas, text)).toMatchObject({
          resources: [],
          summary: { valid: manifests.length, invalid: 0, errors: 0, skipped: 0 },
        });
      });
    }
  });
}
