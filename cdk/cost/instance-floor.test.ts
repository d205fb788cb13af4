import { withDefaults } from '../config/defaults.js';
import type { DeploymentConfiguration } from '../config/deployment-configuration.js';
import { deployment as dev } from '../examples/dev.js';
import { deployment as production } from '../examples/production.js';
import { instanceFloor } from './instance-floor.js';
import { prices } from './prices-2026-11.js';

const floorOf = (change: Partial<DeploymentConfiguration>) => instanceFloor(withDefaults({ ...production, ...change }));
const { hour } = prices.instances['m7gd.2xlarge']!;

describe('the instances of the monthly floor', () => {
  it('are none on Fargate', () => {
    expect(instanceFloor(withDefaults(dev))).toEqual([]);
  });

  it('are one in each zone that has a node, with its disk', () => {
    expect(floorOf({})).toEqual([
      { what: 'instance m7gd.2xlarge', quantity: 3, each: hour * 730 },
      { what: 'disk of an instance', quantity: 3, each: 230 * prices.gp3GibMonth },
    ]);
  });

  it('hold as many nodes as fit by CPU and by memory', () => {
    const nodes = (cpuUnits: number, memoryMiB: number) =>
      floorOf({
        log: { kind: 'standard' },
        dataNodes: { ...production.dataNodes, cpuUnits, memoryMiB, minimum: 4 },
      })[0]!.quantity;
    expect(nodes(4096, 8_192)).toBe(3); // two by two, and the control plane needs another one
    expect(nodes(2048, 16_384)).toBe(2);
    expect(nodes(2048, 30_000)).toBe(4);
  });

  it('have no price for a type that nobody entered, and no room for a node that is too large', () => {
    expect(() => floorOf({ compute: { kind: 'ecs-ec2', instanceType: 'x9.large' } })).toThrow('x9.large has no price');
    expect(() => floorOf({ compute: { kind: 'ecs-ec2', instanceType: 'm7g.large' } })).toThrow(
      'too small for one data node',
    );
  });
});
