import { appOf } from '../test/support/app-of.js';
import type { TemplateResource } from '../compliance/assembly/template.js';
import { withDefaults } from '../config/defaults.js';
import { deployment as dev } from '../examples/dev.js';
import { deployment as production } from '../examples/production.js';
import { measuredCommits } from './measured-requests.js';
import { floorTotal, monthlyFloor } from './monthly-floor.js';
import { prices } from './prices-2026-11.js';
import { usageCost } from './usage-cost.js';

const floorOf = (Resources: Readonly<Record<string, TemplateResource>>) => monthlyFloor(appOf({ one: { Resources } }));

describe('the monthly floor', () => {
  it('counts endpoints in each zone, and gateways for nothing', () => {
    const lines = floorOf({
      Kms: { Type: 'AWS::EC2::VPCEndpoint', Properties: { VpcEndpointType: 'Interface', SubnetIds: ['a', 'b', 'c'] } },
      Logs: { Type: 'AWS::EC2::VPCEndpoint', Properties: { VpcEndpointType: 'Interface', SubnetIds: ['a', 'b', 'c'] } },
      S3: { Type: 'AWS::EC2::VPCEndpoint', Properties: { VpcEndpointType: 'Gateway' } },
    });
    expect(lines).toEqual([{ what: 'interface endpoint in a zone', quantity: 6, each: 7.3 }]);
    expect(floorTotal(lines)).toBeCloseTo(43.8);
  });

  it('counts each metric that the processes make once, and those of AWS for nothing', () => {
    const alarm = (Properties: object): TemplateResource => ({
      Type: 'AWS::CloudWatch::Alarm',
      Properties: { ...Properties },
    });
    const of = (Namespace: string, MetricName: string) => ({ Namespace, MetricName });
    const lines = floorOf({
      One: alarm(of('TursoByoc/x', 'lag')),
      Again: alarm(of('TursoByoc/x', 'lag')),
      Ratio: alarm({
        Metrics: [
          { Id: 'a', MetricStat: { Metric: of('TursoByoc/x', 'failed') } },
          { Id: 'b', MetricStat: { Metric: of('TursoByoc/x', 'all') } },
          { Id: 'c', Expression: 'a / b' },
        ],
      }),
      Aws: alarm(of('AWS/ECS', 'CPUUtilization')),
    });
    expect(lines).toEqual([
      { what: 'metric of the processes', quantity: 3, each: prices.customMetricMonth },
      { what: 'alarm', quantity: 4, each: prices.alarmMonth },
    ]);
  });

  it('prices Fargate by the task definition of each service', () => {
    const lines = floorOf({
      Task: {
        Type: 'AWS::ECS::TaskDefinition',
        Properties: {
          Cpu: '2048',
          Memory: '8192',
          RuntimePlatform: { CpuArchitecture: 'ARM64' },
          EphemeralStorage: { SizeInGiB: 50 },
        },
      },
      Service: {
        Type: 'AWS::ECS::Service',
        Properties: { LaunchType: 'FARGATE', DesiredCount: 3, TaskDefinition: { Ref: 'Task' } },
      },
      OnInstances: {
        Type: 'AWS::ECS::Service',
        Properties: { LaunchType: 'EC2', DesiredCount: 9, TaskDefinition: { Ref: 'Task' } },
      },
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.quantity).toBe(3);
    expect(lines[0]!.each).toBeCloseTo(730 * (2 * 0.03238 + 8 * 0.00356 + 30 * 0.000111), 6);
  });

  it('adds what is the same, and begins with the dearest', () => {
    const key = { Type: 'AWS::KMS::Key' };
    expect(
      floorOf({ A: key, B: key, Nat: { Type: 'AWS::EC2::NatGateway' }, Role: { Type: 'AWS::IAM::Role' } }),
    ).toEqual([
      { what: 'NAT gateway', quantity: 1, each: 0.045 * 730 },
      { what: 'KMS key', quantity: 2, each: 1 },
    ]);
  });

  it('never leaves out a type that it does not know', () => {
    expect(() => floorOf({ Odd: { Type: 'AWS::RDS::DBInstance' } })).toThrow(
      'nobody said what AWS::RDS::DBInstance costs',
    );
  });
});

describe('the price of use', () => {
  it('rests on the figures that the bench printed', () => {
    const month = (workload: number, store: 'express' | 'standard') => {
      const { commitsPerSecond, [store]: requests } = measuredCommits[workload]!;
      const commits = commitsPerSecond * 30 * 86_400;
      return [requests.logWrites, requests.otherWrites, requests.otherReads].map((each) => Math.round(each * commits));
    };
    expect(month(0, 'express')).toEqual([231_811_200, 9_013_706, 3_808_540]);
    expect(month(1, 'standard')).toEqual([178_934_400, 8_208_000, 83_376_000]);
  });

  const lines = (configuration: typeof dev) =>
    new Map(usageCost(withDefaults(configuration)).map(({ what, perMillion }) => [what, perMillion]));
  const alone = 'commits, each alone in its window';

  it('is of one regional write, or of three zonal ones', () => {
    const without = { ...dev, compliance: { trail: 'present' as const } };
    expect(lines(without).get(alone)).toBeCloseTo(1e6 * 1.039 * prices.standard.write, 6);
    const quorum = lines({ ...production, compliance: { trail: 'present' } }).get(alone)!;
    const uploaded = (3e6 * 4500 * prices.express.uploadedGib) / 2 ** 30;
    expect(quorum).toBeCloseTo(3e6 * prices.express.write + 0.039e6 * prices.standard.write + uploaded, 6);
  });

  it('is higher where a trail records every request', () => {
    const recorded = lines(dev).get(alone)!;
    const unrecorded = lines({ ...dev, compliance: { trail: 'present' } }).get(alone)!;
    expect(recorded - unrecorded).toBeCloseTo(1.039e6 * prices.trailDataEvent, 6);
  });

  it('falls with the load, and is nothing for queries and for idle databases', () => {
    const by = lines(dev);
    expect(by.get('commits: one database, 1,000 commits a second')!).toBeLessThan(by.get(alone)! / 4);
    expect(by.get('queries of open databases')).toBe(0);
    expect(by.get('months of an idle database')).toBe(0);
  });
});
