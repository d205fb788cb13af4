import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { withDefaults } from '../config/defaults.js';
import type { DeploymentConfiguration } from '../config/deployment-configuration.js';
import { DeploymentNames } from '../config/deployment-names.js';
import { controlPlaneEnvironment, dataNodeEnvironment } from '../config/process-environment.js';
import { deployment } from '../examples/dev.js';
import { SecurityGroups } from './security-groups.js';

type Traces = NonNullable<DeploymentConfiguration['traces']>;

/** What the security groups of both planes let out to a collector of traces: port and addresses. */
function letOut(traces: Traces): unknown[] {
  const configuration = withDefaults({ ...deployment, traces });
  const stack = new Stack(new App(), 'stack');
  new SecurityGroups(stack, 'groups', {
    context: { configuration, names: new DeploymentNames(configuration) },
    network: {
      vpcId: 'vpc-0123456789abcdef0',
      cidr: configuration.network.cidr,
      nodeSubnets: [],
      controlSubnets: [],
      edgeSubnets: [],
    },
  });
  const rules: Record<string, any> = Template.fromStack(stack).findResources('AWS::EC2::SecurityGroupEgress');
  return Object.values(rules)
    .map(({ Properties: rule }) => rule)
    .filter(({ Description: description }) => description === 'collector of traces')
    .map(({ FromPort: from, ToPort: to, CidrIp: cidr }) => [from, to, cidr]);
}

describe('traces of a deployment', () => {
  it('open the security groups of both planes to the collector, and nothing else', () => {
    const { cidr } = withDefaults(deployment).network;
    const collector = { kind: 'collector', endpoint: 'http://otel.internal:4318' } as const;
    expect(letOut({ kind: 'off' })).toEqual([]);
    expect(letOut(collector)).toEqual([
      [4318, 4318, cidr],
      [4318, 4318, cidr],
    ]);
    const elsewhere = { ...collector, endpoint: 'https://otel.internal/otlp', cidrs: ['10.9.0.0/24', '10.9.8.0/24'] };
    expect(letOut(elsewhere)).toEqual(
      ['10.9.0.0/24', '10.9.8.0/24', '10.9.0.0/24', '10.9.8.0/24'].map((each) => [443, 443, each]),
    );
  });

  it('are settings of both planes', () => {
    const traces = { kind: 'collector', endpoint: 'http://otel.internal:4318', sampledPercent: 0.5 } as const;
    const set = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel.internal:4318',
      OTEL_TRACES_SAMPLER_ARG: '0.005',
      OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${deployment.name}`,
    };
    const traced = withDefaults({ ...deployment, traces });
    expect(dataNodeEnvironment(traced, 'arn:k')).toMatchObject(set);
    expect(controlPlaneEnvironment(traced, undefined)).toMatchObject(set);
    const off = withDefaults(deployment);
    const names = [dataNodeEnvironment(off, 'arn:k'), controlPlaneEnvironment(off, undefined)].flatMap(Object.keys);
    expect(names.filter((name) => name.startsWith('OTEL_'))).toEqual([]);
  });
});
