/**
 * What a person writes about one deployment: a file that exports a `DeploymentConfiguration`. From this file the JSON Schema
 * (`deployment-configuration.schema.json`) and docs/configuration.md are made, comments included; a default that stands here is
 * put in place by `defaults.ts`.
 *
 * Whatever is optional has a default; alternatives are told apart by a `kind`, never by what happens to be absent.
 */

/** An availability zone. */
export interface ZoneConfiguration {
  /**
   * Name of the zone as this account sees it, such as `eu-central-1a`.
   *
   * @pattern ^[a-z]{2}(-[a-z]+)+-\d[a-z]$
   */
  readonly name: string;
  /**
   * Id of the zone, which is the same for every account, such as `euc1-az2`. `aws ec2 describe-availability-zones` prints both.
   *
   * @pattern ^[a-z]{2,5}\d-az\d$
   */
  readonly id: string;
}

/** Tasks on AWS Fargate. */
export interface FargateCompute {
  readonly kind: 'ecs-fargate';
  /**
   * What the images were built for.
   *
   * @default "arm64"
   */
  readonly architecture?: 'arm64' | 'x86_64';
}

/** Tasks on EC2 instances of this account, which ECS starts and replaces. */
export interface Ec2Compute {
  readonly kind: 'ecs-ec2';
  /**
   * Type of the instances. One with local NVMe disks gives the cache its speed.
   *
   * @default "m7gd.xlarge"
   * @pattern ^[a-z0-9-]+\.[a-z0-9-]+$
   */
  readonly instanceType?: string;
  /**
   * What the images were built for; it must be what the instances are.
   *
   * @default "arm64"
   */
  readonly architecture?: 'arm64' | 'x86_64';
}

/** An EKS cluster with the Helm chart in it. */
export interface EksCompute {
  readonly kind: 'eks';
  /**
   * Version of Kubernetes.
   *
   * @default "1.33"
   */
  readonly version?: '1.31' | '1.32' | '1.33' | '1.34';
  /**
   * Type of the instances of the node groups.
   *
   * @default "m7g.xlarge"
   * @pattern ^[a-z0-9-]+\.[a-z0-9-]+$
   */
  readonly instanceType?: string;
  /**
   * What the images were built for; it must be what the instances are.
   *
   * @default "arm64"
   */
  readonly architecture?: 'arm64' | 'x86_64';
  /**
   * Roles of this account that may administer the cluster.
   *
   * @default []
   */
  readonly administratorRoleArns?: readonly RoleArn[];
}

/** @discriminator kind */
export type ComputeConfiguration = FargateCompute | Ec2Compute | EksCompute;

/** The size of a data node and how many there are. */
export interface DataNodeConfiguration {
  /**
   * CPU units of one node; 1024 are one virtual CPU.
   *
   * @default 2048
   * @minimum 512
   * @maximum 32768
   * @asType integer
   */
  readonly cpuUnits?: number;
  /**
   * Memory of one node.
   *
   * @default 8192
   * @minimum 1024
   * @maximum 245760
   * @asType integer
   */
  readonly memoryMiB?: number;
  /**
   * Local disk of one node. It is a cache; nothing is lost with it.
   *
   * @default 50
   * @minimum 21
   * @maximum 200
   * @asType integer
   */
  readonly cacheGiB?: number;
  /**
   * Nodes that always run. With a log in three zones there are as many in each zone: a third of this, rounded up.
   *
   * @default 3
   * @minimum 1
   * @maximum 300
   * @asType integer
   */
  readonly minimum?: number;
  /**
   * Nodes at the most.
   *
   * @default 12
   * @minimum 1
   * @maximum 300
   * @asType integer
   */
  readonly maximum?: number;
  /**
   * Average CPU use that scaling aims at.
   *
   * @default 60
   * @minimum 20
   * @maximum 90
   * @asType integer
   */
  readonly targetCpuPercent?: number;
  /**
   * Least time between two log objects of a node: the most that a commit waits for others. Every log object is a paid request.
   *
   * @default 10
   * @minimum 0
   * @maximum 1000
   * @asType integer
   */
  readonly commitWindowMs?: number;
  /**
   * How long a node that was asked to stop goes on, not ready, until the load balancer has noticed.
   *
   * @default 30
   * @minimum 10
   * @maximum 60
   * @asType integer
   */
  readonly drainDelaySeconds?: number;
}

/** The size of a control-plane process and how many there are. */
export interface ControlPlaneConfiguration {
  /**
   * CPU units of one process; 1024 are one virtual CPU.
   *
   * @default 512
   * @minimum 256
   * @maximum 4096
   * @asType integer
   */
  readonly cpuUnits?: number;
  /**
   * Memory of one process.
   *
   * @default 1024
   * @minimum 512
   * @maximum 30720
   * @asType integer
   */
  readonly memoryMiB?: number;
  /**
   * Processes that run.
   *
   * @default 2
   * @minimum 1
   * @maximum 10
   * @asType integer
   */
  readonly count?: number;
}

/** A network of the deployment's own. */
export interface CreatedNetwork {
  readonly kind: 'create';
  /**
   * Addresses of the network, a block from /16 to /22.
   *
   * @default "10.64.0.0/16"
   * @pattern ^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$
   */
  readonly cidr?: string;
}

/** A subnet that is there already. */
export interface ImportedSubnet {
  /** Name of its zone, one of `zones`. */
  readonly zone: string;
  /** @pattern ^subnet-[0-9a-f]{8,17}$ */
  readonly subnetId: string;
  /**
   * Its route table, where the gateway endpoints are entered.
   *
   * @pattern ^rtb-[0-9a-f]{8,17}$
   */
  readonly routeTableId: string;
}

/** A network that is there already. It stays as it is, except for endpoints. */
export interface ImportedNetwork {
  readonly kind: 'import';
  /** @pattern ^vpc-[0-9a-f]{8,17}$ */
  readonly vpcId: string;
  /**
   * Its addresses.
   *
   * @pattern ^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$
   */
  readonly cidr: string;
  /** One subnet for each zone, where nodes, control plane and an internal load balancer are. */
  readonly subnets: readonly ImportedSubnet[];
  /**
   * Public subnets, one for each zone, where a load balancer that the internet reaches is. Needed for exposure `public` only.
   *
   * @default []
   */
  readonly publicSubnets?: readonly ImportedSubnet[];
  /**
   * Whether the endpoints for AWS services are made, or are in that network already.
   *
   * @default "create"
   */
  readonly endpoints?: 'create' | 'present';
}

/** @discriminator kind */
export type NetworkConfiguration = CreatedNetwork | ImportedNetwork;

/** @pattern ^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$ */
export type Cidr = string;

/** @pattern ^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$ */
export type RoleArn = string;

/** @pattern ^arn:aws[a-z-]*:iam::\d{12}:(root|role/[\w+=,.@/-]+|user/[\w+=,.@/-]+)$ */
export type PrincipalArn = string;

/** @pattern ^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$ */
export type KeyArn = string;

/** Clients are in the network, or in networks that are routed to it. */
export interface PrivateExposure {
  readonly kind: 'private';
  /**
   * Addresses from which clients connect, beside the network's own.
   *
   * @default []
   */
  readonly allowedCidrs?: readonly Cidr[];
}

/** Clients are on the internet. */
export interface PublicExposure {
  readonly kind: 'public';
  /**
   * Addresses from which clients connect.
   *
   * @default ["0.0.0.0/0"]
   */
  readonly allowedCidrs?: readonly Cidr[];
  /**
   * Requests of one address in five minutes after which the web application firewall turns it away.
   *
   * @default 100000
   * @minimum 100
   * @maximum 2000000000
   * @asType integer
   */
  readonly requestsPerAddress?: number;
}

/** Clients are in other networks or accounts and come through an endpoint of AWS PrivateLink. */
export interface PrivateLinkExposure {
  readonly kind: 'privatelink';
  /** Who may make an endpoint to this service. */
  readonly allowedPrincipalArns: readonly PrincipalArn[];
  /**
   * Whether somebody has to accept each endpoint.
   *
   * @default true
   */
  readonly acceptanceRequired?: boolean;
}

/** @discriminator kind */
export type ExposureConfiguration = PrivateExposure | PublicExposure | PrivateLinkExposure;

/** A certificate that is in AWS Certificate Manager already. */
export interface ImportedCertificate {
  readonly kind: 'import';
  /** @pattern ^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+$ */
  readonly arn: string;
}

/** A certificate that AWS issues once it has found its record in the public hosted zone of `dns`. */
export interface CreatedCertificate {
  readonly kind: 'create';
}

/** @discriminator kind */
export type CertificateConfiguration = ImportedCertificate | CreatedCertificate;

/** Somebody else makes the DNS records: `<domain>` and `*.<domain>` to the load balancer. */
export interface DnsElsewhere {
  readonly kind: 'none';
}

/** The DNS records are made in this hosted zone. */
export interface DnsHostedZone {
  readonly kind: 'hosted-zone';
  /** @pattern ^Z[A-Z0-9]{5,31}$ */
  readonly hostedZoneId: string;
  /** Its name; the domain is that or ends in it. */
  readonly zoneName: string;
  /** Whether the zone is public. */
  readonly visibility: 'public' | 'private';
}

/** A private hosted zone for the domain is made and is seen in the network only. */
export interface DnsCreatePrivate {
  readonly kind: 'create-private';
}

/** @discriminator kind */
export type DnsConfiguration = DnsElsewhere | DnsHostedZone | DnsCreatePrivate;

/** Where clients find the deployment. */
export interface DomainConfiguration {
  /**
   * Databases are at `<database>-<organization>.<name>`, the Platform API at `api.<name>`.
   *
   * @pattern ^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$
   */
  readonly name: string;
  /** A certificate for `<name>` and `*.<name>`. */
  readonly certificate: CertificateConfiguration;
  /** Who makes the records. */
  readonly dns: DnsConfiguration;
}

/** The commit log is in a regional bucket: cheapest for little traffic, tens of milliseconds for a commit. */
export interface StandardLog {
  readonly kind: 'standard';
}

/** The commit log is in one directory bucket of S3 Express One Zone: fast; the loss of that zone loses what is only in the log. */
export interface ExpressLog {
  readonly kind: 'express';
  /** Id of the bucket's zone, one of `zones`. The data nodes run in it. */
  readonly zoneId: string;
}

/** The commit log is in three directory buckets in three zones and is acknowledged by two: fast, and survives the loss of a zone. */
export interface ExpressQuorumLog {
  readonly kind: 'express-quorum';
}

/** @discriminator kind */
export type LogConfiguration = StandardLog | ExpressLog | ExpressQuorumLog;

/** A KMS key that the deployment makes, rotates and keeps. */
export interface CreatedKey {
  readonly kind: 'create';
}

/** A KMS key that is there already. Its policy must let the data nodes use it; docs/operations/aws.md has the statement. */
export interface ImportedKey {
  readonly kind: 'import';
  readonly arn: KeyArn;
}

/** @discriminator kind */
export type KeyConfiguration = CreatedKey | ImportedKey;

/** A key that data keys of a group's databases can be wrapped by; the group names it when it is created. */
export interface GroupKeyConfiguration {
  /**
   * Name of the group.
   *
   * @pattern ^[a-z0-9][a-z0-9-]{0,62}$
   */
  readonly group: string;
  readonly key: KeyConfiguration;
}

export interface KeysConfiguration {
  /**
   * The deployment's key: wraps the data keys of databases for which no other key was named.
   *
   * @default {"kind":"create"}
   */
  readonly databases?: KeyConfiguration;
  /**
   * Keys of groups.
   *
   * @default []
   */
  readonly groups?: readonly GroupKeyConfiguration[];
  /**
   * Roles that may administer the created keys and may not use them. Without any, whom this account's IAM policies allow it.
   *
   * @default []
   */
  readonly administratorRoleArns?: readonly RoleArn[];
  /**
   * Roles that may read the trail and the audit log, which lie encrypted in the audit bucket. Their own policies must allow it, too.
   *
   * @default []
   */
  readonly auditorRoleArns?: readonly RoleArn[];
  /**
   * How long a created key can be brought back after somebody had it deleted.
   *
   * @default 30
   * @minimum 7
   * @maximum 30
   * @asType integer
   */
  readonly deletionWindowDays?: number;
  /**
   * How often AWS makes new key material of a created key.
   *
   * @default 365
   * @minimum 90
   * @maximum 2560
   * @asType integer
   */
  readonly rotationDays?: number;
}

export interface RetentionConfiguration {
  /**
   * How far back every commit of a database can be restored.
   *
   * @default 35
   * @minimum 1
   * @maximum 3650
   * @asType integer
   */
  readonly pointInTimeDays?: number;
  /**
   * How long a deleted database can be brought back.
   *
   * @default 7
   * @minimum 0
   * @maximum 3650
   * @asType integer
   */
  readonly undeleteDays?: number;
  /**
   * How long the audit bucket locks the trail and the audit log.
   *
   * @default 365
   * @minimum 1
   * @maximum 3650
   * @asType integer
   */
  readonly auditDays?: number;
  /**
   * `governance`: a principal with a special right can shorten it. `compliance`: nobody can, the root user included.
   *
   * @default "governance"
   */
  readonly auditLock?: 'governance' | 'compliance';
  /**
   * How long logs of processes, flow logs and access logs are kept.
   *
   * @default 365
   */
  readonly logDays?: 30 | 90 | 180 | 365 | 731 | 1096 | 1827 | 2192 | 3653;
}

/** Where alarms go. */
export interface AlarmConfiguration {
  /**
   * Addresses that confirm a subscription once.
   *
   * @default []
   */
  readonly emailAddresses?: readonly EmailAddress[];
  /**
   * SNS topics of this region.
   *
   * @default []
   */
  readonly topicArns?: readonly TopicArn[];
  /**
   * What every alarm's link to its runbook begins with.
   *
   * @default "docs/runbooks"
   */
  readonly runbookBase?: string;
}

/** @pattern ^[^\s@]+@[^\s@]+\.[^\s@]+$ */
export type EmailAddress = string;

/** @pattern ^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+$ */
export type TopicArn = string;

/** A managed policy for the boundary is made. */
export interface CreatedBoundary {
  readonly kind: 'create';
}

/** A managed policy that is there already bounds every role. */
export interface ImportedBoundary {
  readonly kind: 'import';
  /** @pattern ^arn:aws[a-z-]*:iam::\d{12}:policy/[\w+=,.@/-]+$ */
  readonly policyArn: string;
}

/** @discriminator kind */
export type BoundaryConfiguration = CreatedBoundary | ImportedBoundary;

export interface ImageConfiguration {
  /** Image of the data nodes, by digest: `<registry>/<repository>@sha256:…`. */
  readonly dataPlane: string;
  /** Image of the control plane, by digest. */
  readonly controlPlane: string;
}

/** Nothing leaves the network. */
export interface NoEgress {
  readonly kind: 'off';
}

/** The control plane reaches these hosts over TLS, through a firewall; data nodes reach nothing. */
export interface AllowListEgress {
  readonly kind: 'allow-list';
  /** Host names: of OIDC issuers, of JWKS, of what databases are seeded from. */
  readonly hosts: readonly EgressHost[];
}

/** @pattern ^\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$ */
export type EgressHost = string;

/** @discriminator kind */
export type EgressConfiguration = NoEgress | AllowListEgress;

/** No request is traced. */
export interface NoTraces {
  readonly kind: 'off';
}

/**
 * Data nodes and control plane send OpenTelemetry traces to this collector, OTLP over HTTP. Data nodes have no way out of the
 * network: it is in the network, or in one that is routed to it, and passes on what is to leave.
 */
export interface CollectorTraces {
  readonly kind: 'collector';
  /**
   * Below which it takes `/v1/traces`, such as `http://collector.internal:4318`. No user name, no password, no query.
   *
   * @pattern ^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(/[A-Za-z0-9._/-]*)?$
   */
  readonly endpoint: string;
  /**
   * Where it is: security groups let both planes connect to its port at these addresses. Empty = anywhere in the network.
   *
   * @default []
   */
  readonly cidrs?: readonly Cidr[];
  /**
   * Percentage of the requests without a trace of their sender's that are traced.
   *
   * @default 1
   * @minimum 0
   * @maximum 100
   */
  readonly sampledPercent?: number;
}

/** @discriminator kind */
export type TraceConfiguration = NoTraces | CollectorTraces;

/** A conformance pack of AWS Config. */
export interface ConformancePackConfiguration {
  /**
   * Its name in this account.
   *
   * @pattern ^[a-zA-Z][a-zA-Z0-9-]{0,100}$
   */
  readonly name: string;
  /**
   * Where its template is: the name of an SSM document of type ConformancePackTemplate, or an s3:// URL.
   *
   * @pattern ^(s3://.+|[A-Za-z0-9_.:/-]{3,300})$
   */
  readonly template: string;
}

export interface ComplianceConfiguration {
  /**
   * Whether a CloudTrail trail for the buckets and keys is made, or the organization's own trail has these events.
   *
   * @default "create"
   */
  readonly trail?: 'create' | 'present';
  /**
   * Whether AWS Config's recorder is made (an account has one per region), is there already, or nothing of Config is used.
   *
   * @default "present"
   */
  readonly configRecorder?: 'create' | 'present' | 'off';
  /**
   * Conformance packs that AWS Config checks all the time.
   *
   * @default []
   */
  readonly conformancePacks?: readonly ConformancePackConfiguration[];
}

/** The role that people assume when nothing else helps: it reads and writes data. Every use of it raises an alarm. */
export interface EmergencyConfiguration {
  /**
   * Whether it is there.
   *
   * @default false
   */
  readonly enabled?: boolean;
  /**
   * Who may assume it, with a second factor.
   *
   * @default []
   */
  readonly principalArns?: readonly PrincipalArn[];
}

export interface TokenConfiguration {
  /**
   * Where the key is that signs tokens: an Ed25519 key in KMS, which nobody can take away, or a secret.
   *
   * @default "kms"
   */
  readonly signingKey?: 'kms' | 'secret';
}

/** One deployment of Turso BYOC in one account and one region. */
export interface DeploymentConfiguration {
  /**
   * Name of the deployment; the names of stacks, buckets and roles begin with it. It cannot change later.
   *
   * @pattern ^[a-z][a-z0-9-]{1,15}$
   */
  readonly name: string;
  /**
   * The account, twelve digits. Nothing is ever deployed into another one.
   *
   * @pattern ^\d{12}$
   */
  readonly account: string;
  /** @pattern ^[a-z]{2}(-[a-z]+)+-\d$ */
  readonly region: string;
  /**
   * Three zones, or two where the data is worth nothing. No look-up happens: write down what the account has.
   *
   * @minItems 1
   * @maxItems 3
   */
  readonly zones: readonly ZoneConfiguration[];
  readonly compute: ComputeConfiguration;
  /** @default {} */
  readonly dataNodes?: DataNodeConfiguration;
  /** @default {} */
  readonly controlPlane?: ControlPlaneConfiguration;
  /** @default {"kind":"create"} */
  readonly network?: NetworkConfiguration;
  /** @default {"kind":"private"} */
  readonly exposure?: ExposureConfiguration;
  readonly domain: DomainConfiguration;
  readonly log: LogConfiguration;
  /** @default {} */
  readonly keys?: KeysConfiguration;
  /** @default {} */
  readonly tokens?: TokenConfiguration;
  /** @default {} */
  readonly retention?: RetentionConfiguration;
  /** @default {} */
  readonly alarms?: AlarmConfiguration;
  /** @default {"kind":"create"} */
  readonly permissionsBoundary?: BoundaryConfiguration;
  /** @default {} */
  readonly emergency?: EmergencyConfiguration;
  /** @default {} */
  readonly compliance?: ComplianceConfiguration;
  readonly images: ImageConfiguration;
  /** @default {"kind":"off"} */
  readonly egress?: EgressConfiguration;
  /** @default {"kind":"off"} */
  readonly traces?: TraceConfiguration;
  /**
   * Whether nothing may come from or go to the internet, images included.
   *
   * @default false
   */
  readonly airGapped?: boolean;
  /**
   * Other accounts that may appear in this configuration: as principals, as owners of keys, topics or images.
   *
   * @default []
   */
  readonly trustedAccounts?: readonly AccountId[];
  /**
   * Tags of every resource, beside `turso-byoc:deployment` and `turso-byoc:stack`.
   *
   * @default {}
   */
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * Whether stacks are protected from termination, and buckets and keys stay when their stack goes. The audit bucket, which is
   * locked, and its key stay in any case. Off only where the data is worth nothing.
   *
   * @default true
   */
  readonly removalProtection?: boolean;
}

/** @pattern ^\d{12}$ */
export type AccountId = string;

/** A configuration with every default in its place. */
export type ResolvedConfiguration = Resolved<DeploymentConfiguration>;

/** `T` with nothing left out, at any depth. */
export type Resolved<T> = T extends readonly (infer Element)[]
  ? readonly Resolved<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]-?: Resolved<Exclude<T[Key], undefined>> }
    : T;
