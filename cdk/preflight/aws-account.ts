import type { Answer } from './answer.js';

/**
 * The questions that preflight and doctor ask about an account and region. Nothing here changes anything: each is a read, or a
 * dry run. `aws-sdk-account.ts` asks AWS; tests give scripted answers.
 */
export interface AwsAccount {
  identity(): Promise<Answer<{ readonly account: string; readonly arn: string }>>;
  zones(): Promise<Answer<readonly ZoneAnswer[]>>;
  /** The limit that is in force; the published default where nobody changed it. */
  quota(service: string, code: string): Promise<Answer<number>>;
  vpcCount(): Promise<Answer<number>>;
  certificate(arn: string): Promise<Answer<CertificateAnswer | 'missing'>>;
  hostedZone(
    id: string,
  ): Promise<Answer<{ readonly name: string; readonly visibility: 'public' | 'private' } | 'missing'>>;
  key(arn: string): Promise<Answer<KeyAnswer | 'missing'>>;
  /** An image of ECR by digest. */
  image(repository: ImageRepository, digest: string): Promise<Answer<'present' | 'missing'>>;
  /** `foreign`: the name is another account's. */
  bucket(name: string): Promise<Answer<'free' | 'own' | 'foreign'>>;
  subnets(vpcId: string): Promise<Answer<readonly SubnetAnswer[] | 'missing'>>;
  /** What IAM's simulator says of each action on everything, for a principal. */
  simulate(principalArn: string, actions: readonly string[]): Promise<Answer<ReadonlyMap<string, Decision>>>;
  /** EC2's own dry run of creating a network. */
  dryRunOfNetwork(): Promise<Answer<Decision>>;
  managedPolicy(arn: string): Promise<Answer<'present' | 'missing'>>;
}

export type Decision = 'allowed' | 'denied';

export interface ZoneAnswer {
  readonly name: string;
  readonly id: string;
  readonly available: boolean;
}

export interface CertificateAnswer {
  readonly status: string;
  readonly names: readonly string[];
  readonly expires: Date | undefined;
}

export interface KeyAnswer {
  readonly state: string;
  readonly usage: string;
  readonly spec: string;
  readonly rotates: boolean | undefined;
}

export interface SubnetAnswer {
  readonly id: string;
  readonly zone: string;
  readonly freeAddresses: number;
}

export interface ImageRepository {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}
