import { CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { cacheDirectory } from '../config/process-environment.js';
import type { DeploymentContext } from './deployment-context.js';

export interface ContainerTaskProps {
  readonly context: DeploymentContext;
  /** Name of the process; ends the name of the task's family. */
  readonly process: string;
  readonly image: string;
  readonly cpuUnits: number;
  readonly memoryMiB: number;
  /** Local disk; undefined for a process that needs none. */
  readonly cacheGiB?: number;
  readonly ports: readonly number[];
  /** Port and path that tell whether the process lives. */
  readonly health: { readonly port: number; readonly path: string };
  readonly stopTimeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Name of an environment variable → ARN of the secret that it takes its value from. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly role: Role;
  readonly startRole: Role;
  readonly logGroup: CfnLogGroup;
}

/** The user that both images run as; it owns the cache. */
const user = '65532:65532';

/** One process as an ECS task: not root, no capability, a read-only file system but for its cache. */
export function containerTask(scope: Construct, id: string, props: ContainerTaskProps): CfnTaskDefinition {
  const { context, process } = props;
  const { compute, region } = context.configuration;
  const onFargate = compute.kind === 'ecs-fargate';
  const volumes = props.cacheGiB === undefined ? [] : [{ name: 'cache', path: cacheDirectory }];
  return new CfnTaskDefinition(scope, id, {
    family: `${context.names.prefix}-${process}`,
    networkMode: 'awsvpc',
    requiresCompatibilities: [onFargate ? 'FARGATE' : 'EC2'],
    runtimePlatform: {
      operatingSystemFamily: 'LINUX',
      cpuArchitecture: compute.architecture === 'arm64' ? 'ARM64' : 'X86_64',
    },
    cpu: String(props.cpuUnits),
    memory: String(props.memoryMiB),
    taskRoleArn: props.role.roleArn,
    executionRoleArn: props.startRole.roleArn,
    ...(onFargate && props.cacheGiB !== undefined && { ephemeralStorage: { sizeInGiB: props.cacheGiB } }),
    volumes: volumes.map(({ name }) => ({
      name,
      ...(!onFargate && { dockerVolumeConfiguration: { scope: 'task', driver: 'local' } }),
    })),
    containerDefinitions: [
      {
        name: process,
        image: props.image,
        essential: true,
        user,
        readonlyRootFilesystem: true,
        privileged: false,
        linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
        ulimits: [{ name: 'nofile', softLimit: 65_536, hardLimit: 65_536 }],
        portMappings: props.ports.map((containerPort) => ({ containerPort, protocol: 'tcp' })),
        environment: Object.entries(props.environment).map(([name, value]) => ({ name, value })),
        secrets: Object.entries(props.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
        mountPoints: volumes.map(({ name, path }) => ({ sourceVolume: name, containerPath: path, readOnly: false })),
        stopTimeout: props.stopTimeoutSeconds,
        healthCheck: {
          command: ['CMD', '/usr/local/bin/node', '-e', healthProbe(props.health)],
          interval: 10,
          timeout: 5,
          retries: 3,
          startPeriod: 60,
        },
        logConfiguration: {
          logDriver: 'awslogs',
          options: {
            'awslogs-group': props.logGroup.ref,
            'awslogs-region': region,
            'awslogs-stream-prefix': process,
            // A log service that does not answer must not stop the process.
            mode: 'non-blocking',
            'max-buffer-size': '25m',
          },
        },
      },
    ],
  });
}

/** A program that ends with 0 when the process answers; the images have no shell and no curl. */
function healthProbe({ port, path }: ContainerTaskProps['health']): string {
  return `fetch('http://127.0.0.1:${port}${path}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;
}
