import type { Answer } from '../answer.js';
import type { KeyAnswer } from '../aws-account.js';

/** The questions that doctor and evidence ask about what is deployed. Each is a read. */
export interface RunningDeployment {
  identity(): Promise<Answer<{ readonly account: string; readonly arn: string }>>;
  stack(name: string): Promise<Answer<StackAnswer | 'missing'>>;
  /** What CloudFormation made of a stack's resources. */
  resources(stack: string): Promise<Answer<readonly DeployedResource[]>>;
  service(cluster: string, service: string): Promise<Answer<ServiceAnswer | 'missing'>>;
  /** State by name of the alarm: `OK`, `ALARM` or `INSUFFICIENT_DATA`. */
  alarms(names: readonly string[]): Promise<Answer<ReadonlyMap<string, string>>>;
  key(id: string): Promise<Answer<KeyAnswer | 'missing'>>;
  trail(
    name: string,
  ): Promise<Answer<{ readonly logging: boolean; readonly deliveryError: string | undefined } | 'missing'>>;
  bucket(name: string): Promise<Answer<BucketAnswer | 'missing'>>;
  logGroup(
    name: string,
  ): Promise<Answer<{ readonly retentionDays: number | undefined; readonly keyArn: string | undefined } | 'missing'>>;
  /** Status of the answer to a GET. */
  health(url: string): Promise<Answer<number>>;
}

export interface StackAnswer {
  readonly status: string;
  readonly terminationProtected: boolean;
  readonly updated: Date | undefined;
}

export interface DeployedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly status: string;
}

export interface ServiceAnswer {
  readonly desired: number;
  readonly running: number;
  /** `COMPLETED`, `IN_PROGRESS` or `FAILED`; `undefined` where ECS does not say. */
  readonly rollout: string | undefined;
}

export interface BucketAnswer {
  readonly keyArn: string | undefined;
  readonly versioned: boolean;
  readonly publicAccessBlocked: boolean;
  readonly locked: boolean;
}
