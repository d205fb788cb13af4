import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { placements } from '../config/placements.js';
import type { FloorLine } from './monthly-floor.js';
import { prices } from './prices-2026-11.js';

/** System disk of an instance, and two caches on it while a node is replaced (constructs/instance-capacity.ts). */
const systemDiskGib = 30;

/**
 * Instances that ECS or EKS keeps for the least number of nodes. The templates do not say how many: groups begin at none and follow the
 * tasks. Data nodes fill the instances of their placement; the control plane takes what they leave, or needs more.
 *
 * @throws Error when an instance type has no price, or is too small for one data node.
 */
export function instanceFloor(configuration: ResolvedConfiguration): readonly FloorLine[] {
  const { compute, dataNodes, controlPlane } = configuration;
  if (compute.kind === 'ecs-fargate') return [];
  const type = compute.instanceType;
  const instance = prices.instances[type];
  if (!instance) throw new Error(`${type} has no price: enter it in prices-${prices.asOf}.ts`);
  const units = instance.cpus * 1024;
  const fitting = Math.floor(Math.min(units / dataNodes.cpuUnits, (instance.gib * 1024) / dataNodes.memoryMiB));
  if (fitting < 1) throw new Error(`${type} is too small for one data node`);
  const minimums = placements(configuration).map(({ minimum }) => minimum);
  const forData = minimums.reduce((sum, minimum) => sum + Math.ceil(minimum / fitting), 0);
  const used = minimums.reduce((sum, minimum) => sum + minimum, 0) * dataNodes.cpuUnits;
  const missing = controlPlane.count * controlPlane.cpuUnits - (forData * units - used);
  const quantity = forData + Math.max(0, Math.ceil(missing / units));
  return [
    { what: `instance ${type}`, quantity, each: instance.hour * prices.hoursPerMonth },
    ...(compute.kind === 'ecs-ec2'
      ? [{ what: 'disk of an instance', quantity, each: (systemDiskGib + 2 * dataNodes.cacheGiB) * prices.gp3GibMonth }]
      : []),
  ];
}
