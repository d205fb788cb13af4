import { PermissionsBoundary, ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { Tags, type IStackSynthesizer, type Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { DeploymentNames, type StackKind } from '../config/deployment-names.js';
import type { DeploymentContext } from '../constructs/deployment-context.js';
import { ComplianceStack } from './compliance-stack.js';
import { ControlPlaneStack } from './control-plane-stack.js';
import { DataPlaneStack } from './data-plane-stack.js';
import { EdgeStack } from './edge-stack.js';
import { EksStack } from './eks-stack.js';
import { FoundationStack } from './foundation-stack.js';
import { NetworkStack } from './network-stack.js';
import { ObservabilityStack } from './observability-stack.js';

/** The stacks of a deployment, by kind, in the order in which they are deployed. */
export type DeploymentStacks = ReadonlyMap<StackKind, Stack>;

export interface BuildOptions {
  /** How templates reach CloudFormation. @default the CDK's, which needs a bootstrapped account */
  readonly synthesizer?: () => IStackSynthesizer;
}

/** Builds every stack of a deployment below an app or stage: tags on everything, the boundary on every role. */
export function buildDeployment(
  scope: Construct,
  configuration: ResolvedConfiguration,
  options: BuildOptions = {},
): DeploymentStacks {
  const names = new DeploymentNames(configuration);
  const context: DeploymentContext = { configuration, names, ...options };
  const foundation = new FoundationStack(scope, context);
  const { keys } = foundation;
  const network = new NetworkStack(scope, context, keys.audit);
  const edge = new EdgeStack(scope, context, network, keys.audit);
  edge.addStackDependency(foundation, 'the load balancer writes its log into the access bucket');
  const stacks = new Map<StackKind, Stack>([
    ['foundation', foundation],
    ['network', network],
    ['edge', edge],
  ]);
  let services: { readonly data: readonly string[]; readonly control: string | undefined };
  if (configuration.compute.kind === 'eks') {
    const eks = new EksStack(scope, { context, compute: configuration.compute, foundation, network, edge });
    stacks.set('eks', eks);
    services = { data: [], control: undefined };
  } else {
    const namespaceId = network.namespaceId ?? '';
    const dataPlane = new DataPlaneStack(scope, { context, foundation, network, edge, namespaceId });
    const controlPlane = new ControlPlaneStack(scope, { context, foundation, network, edge, dataPlane });
    stacks.set('data-plane', dataPlane).set('control-plane', controlPlane);
    services = { data: dataPlane.services, control: controlPlane.service };
  }
  const observability = new ObservabilityStack(scope, {
    context,
    foundation,
    edge,
    dataServices: services.data,
    controlService: services.control,
  });
  for (const kind of ['data-plane', 'eks'] as const) {
    const stack = stacks.get(kind);
    if (stack !== undefined) observability.addStackDependency(stack, 'metric filters need the log group');
  }
  stacks.set('observability', observability);
  const { compliance } = configuration;
  if (
    compliance.trail === 'create' ||
    compliance.configRecorder === 'create' ||
    compliance.conformancePacks.length > 0
  ) {
    const stack = new ComplianceStack(scope, context, keys.audit);
    stack.addStackDependency(foundation, 'the trail goes into the audit bucket');
    stacks.set('compliance', stack);
  }
  for (const [key, value] of Object.entries({ ...configuration.tags, 'turso-byoc:deployment': configuration.name })) {
    Tags.of(scope).add(key, value);
  }
  PermissionsBoundary.of(scope).apply(
    ManagedPolicy.fromManagedPolicyArn(foundation, 'BoundaryOfAll', names.boundaryArn),
  );
  return stacks;
}
