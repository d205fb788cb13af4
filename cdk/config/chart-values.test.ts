import { deployment } from '../examples/eks.js';
import { chartValues, clusterManifests } from './chart-values.js';
import { withDefaults } from './defaults.js';
import { loadBalancerBlocks } from './process-environment.js';

const configuration = withDefaults(deployment);
const outputs = { DatabasesKeyArn: 'arn:k', NodesTargetGroupArn: 'arn:n', ControlTargetGroupArn: 'arn:c' };

describe('the values of the chart', () => {
  const values: any = chartValues(configuration, outputs);

  it('name stores, key, images by digest and a Deployment for each zone of a log in three', () => {
    expect(values).toMatchObject({
      keyService: 'kms:arn:k?region=us-west-2',
      zones: ['us-west-2a', 'us-west-2b', 'us-west-2c'],
      hostname: 'db.example.com',
      images: { dataNode: { digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) } },
    });
    expect(values.stores.log).toHaveLength(3);
    expect(values.stores.log[0]).toMatch(/^s3:\/\/kube-turso-log-111122223333--usw2-az1--x-s3\/log\?region=us-west-2$/);
    expect(values.images.dataNode.repository).not.toContain('@');
  });

  it('have both servers believe the load balancer', () => {
    const settings = { TURSO_BYOC_TRUSTED_PROXIES: loadBalancerBlocks(configuration).join(' ') };
    expect(settings.TURSO_BYOC_TRUSTED_PROXIES).not.toBe('');
    expect(values).toMatchObject({ dataNode: { settings }, controlPlane: { settings } });
  });

  it('have as many nodes in each zone as a third of all', () => {
    expect(values.dataNode).toMatchObject({ replicas: 1, autoscaling: { minReplicas: 1, maxReplicas: 4 } });
  });

  it('name no zones with a regional log', () => {
    expect(chartValues(withDefaults({ ...deployment, log: { kind: 'standard' } }), outputs)).toMatchObject({
      zones: [],
      dataNode: { replicas: 3, autoscaling: { minReplicas: 3, maxReplicas: 12 } },
    });
  });
});

describe('the values of traces', () => {
  it('are there where a collector is named: its URL, the share, and the way to it', () => {
    expect(chartValues(configuration, outputs)).not.toHaveProperty('traces');
    const traces = { kind: 'collector', endpoint: 'http://otel.internal:4318', sampledPercent: 2.5 } as const;
    expect(chartValues(withDefaults({ ...deployment, traces }), outputs)).toMatchObject({
      traces: { endpoint: 'http://otel.internal:4318', share: 0.025 },
      networkPolicy: { traceCollectors: [{ ipBlock: { cidr: configuration.network.cidr } }] },
    });
  });
});

describe('what stands beside the chart', () => {
  it('is the instances and the bindings of both target groups', () => {
    if (configuration.compute.kind !== 'eks') throw new Error('the example is for EKS');
    const { items }: any = clusterManifests(configuration, configuration.compute, outputs);
    expect(items.map(({ kind }: any) => kind)).toEqual(['NodePool', 'TargetGroupBinding', 'TargetGroupBinding']);
    expect(items[1].spec).toMatchObject({
      targetGroupARN: 'arn:n',
      serviceRef: { name: 'turso-byoc-data', port: 8080 },
    });
    expect(items[2].spec).toMatchObject({
      targetGroupARN: 'arn:c',
      serviceRef: { name: 'turso-byoc-control', port: 8081 },
    });
  });
});
