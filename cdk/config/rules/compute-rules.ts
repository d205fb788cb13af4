import { when, type Rule } from '../rule.js';

/** Memory in GiB that AWS Fargate offers for CPU units: from, to, in steps of. */
const fargateMemoryGiB: Readonly<Record<number, readonly [from: number, to: number, step: number]>> = {
  256: [0.5, 2, 0.5],
  512: [1, 4, 1],
  1024: [2, 8, 1],
  2048: [4, 16, 1],
  4096: [8, 30, 1],
  8192: [16, 60, 4],
  16384: [32, 120, 8],
  32768: [60, 244, 4],
};

function fargateBreach(path: string, cpuUnits: number, memoryMiB: number): ReturnType<typeof when> {
  const offered = fargateMemoryGiB[cpuUnits];
  if (offered === undefined) {
    const sizes = Object.keys(fargateMemoryGiB).join(', ');
    return when(true, `${path}.cpuUnits`, `Fargate has no task of ${cpuUnits} CPU units; choose one of ${sizes}`);
  }
  const [from, to, step] = offered;
  const memoryGiB = memoryMiB / 1024;
  const fits = memoryGiB >= from && memoryGiB <= to && Number.isInteger((memoryGiB - from) / step);
  return when(
    !fits,
    `${path}.memoryMiB`,
    `Fargate has no task of ${cpuUnits} CPU units with ${memoryMiB} MiB; choose ${from * 1024} to ${to * 1024} MiB in steps of ${step * 1024}`,
  );
}

export const computeRules: readonly Rule[] = [
  {
    code: 'FARGATE_SIZE',
    demands: 'On Fargate, CPU and memory of each task are a pair that Fargate offers.',
    broken: ({ compute, dataNodes, controlPlane }) =>
      compute.kind !== 'ecs-fargate'
        ? []
        : [
            ...fargateBreach('dataNodes', dataNodes.cpuUnits, dataNodes.memoryMiB),
            ...fargateBreach('controlPlane', controlPlane.cpuUnits, controlPlane.memoryMiB),
          ],
  },
  {
    code: 'SCALING_RANGE',
    demands: 'There are no fewer data nodes at the most than at the least.',
    broken: ({ dataNodes: { minimum, maximum } }) =>
      when(
        maximum < minimum,
        'dataNodes.maximum',
        `at the most ${maximum} data nodes are fewer than at the least ${minimum}; raise maximum or lower minimum`,
      ),
  },
  {
    code: 'NODES_TOO_FEW',
    demands: 'Where removal protection is on, two data nodes and two control-plane processes run at least.',
    broken: ({ removalProtection, dataNodes, controlPlane }) =>
      !removalProtection
        ? []
        : [
            ...when(
              dataNodes.minimum < 2,
              'dataNodes.minimum',
              'one data node leaves nobody to take over; run at least 2, or set removalProtection to false if this is no production',
            ),
            ...when(
              controlPlane.count < 2,
              'controlPlane.count',
              'one control-plane process leaves nobody to take over; run at least 2, or set removalProtection to false if this is no production',
            ),
          ],
  },
  {
    code: 'NODES_PER_ZONE',
    demands: 'With a log in three zones there is at least one data node for each zone.',
    broken: ({ log, dataNodes }) =>
      when(
        log.kind === 'express-quorum' && dataNodes.minimum < 3,
        'dataNodes.minimum',
        `${dataNodes.minimum} data nodes do not reach three zones; express-quorum needs at least 3`,
      ),
  },
  {
    code: 'ARCHITECTURE_OF_INSTANCE',
    demands: 'Instances have the architecture of the images.',
    broken: ({ compute }) => {
      if (compute.kind === 'ecs-fargate') return [];
      const family = compute.instanceType.split('.')[0] ?? '';
      const actual = family === 'a1' || /^[a-z]+\d+g/.test(family) ? 'arm64' : 'x86_64';
      return when(
        actual !== compute.architecture,
        'compute.architecture',
        `${compute.instanceType} is ${actual} and the images are ${compute.architecture}; choose an instance type of the architecture that the images were built for`,
      );
    },
  },
];
