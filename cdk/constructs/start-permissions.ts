import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { DeploymentContext } from './deployment-context.js';

export interface StartPermissionsProps {
  /** The image, by digest, in ECR. */
  readonly image: string;
  readonly logGroup: string;
  readonly secretArns: readonly string[];
  /** Key of the secrets. */
  readonly secretKeyArn: string;
}

/** What ECS does to start one process: pull its image, open its log, read its secrets. The process itself cannot do any of it. */
export function startPermissions(
  { names, configuration }: DeploymentContext,
  { image, logGroup, secretArns, secretKeyArn }: StartPermissionsProps,
): PolicyStatement[] {
  const { account, region } = configuration;
  return [
    new PolicyStatement({
      sid: 'PullImage',
      actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      resources: [repositoryArn(image, names.partition)],
    }),
    // The one action of ECR that takes no resource.
    new PolicyStatement({ sid: 'EnterRegistry', actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }),
    new PolicyStatement({
      sid: 'WriteLog',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [`arn:${names.partition}:logs:${region}:${account}:log-group:${logGroup}:log-stream:*`],
    }),
    new PolicyStatement({
      sid: 'ReadSecrets',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [...secretArns],
    }),
    new PolicyStatement({
      sid: 'DecryptSecrets',
      actions: ['kms:Decrypt'],
      resources: [secretKeyArn],
      conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` } },
    }),
  ];
}

/** ARN of the ECR repository that an image is in. Throws `RangeError` where it is in none; the configuration's rules come first. */
export function repositoryArn(image: string, partition: string): string {
  const match = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/(.+)@sha256:/.exec(image);
  if (match === null) throw new RangeError(`${image} is in no repository of ECR`);
  const [, account = '', region = '', repository = ''] = match;
  return `arn:${partition}:ecr:${region}:${account}:repository/${repository}`;
}
