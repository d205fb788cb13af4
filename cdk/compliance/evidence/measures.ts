/** A test that fails when a measure is taken away: its file below the repository, and words that stand in the file. */
export interface MeasureTest {
  readonly file: string;
  readonly name: string;
}

/** One thing that protects data, with what carries it out in the account and what proves it. */
export interface Measure {
  readonly does: string;
  /** Types of resources of the synthesized app that carry it out; none for what the processes do by themselves. */
  readonly resources: readonly string[];
  readonly tests: readonly MeasureTest[];
}

const iamProof = { file: 'cdk/test/iam/iam-proof.test.ts', name: 'who may do what' };
const rulePack = (rule: string) => ({ file: 'cdk/compliance/nag/turso-byoc-checks.test.ts', name: rule });

/** The measures by the name that the control matrix calls them by. */
export const measures = {
  leastPrivilege: {
    does: 'One role for each process, with the actions, resources and encryption contexts that it needs; the control plane has no right to data or to database keys.',
    resources: ['AWS::IAM::Role'],
    tests: [iamProof],
  },
  boundary: {
    does: 'A permissions boundary limits every role whatever is attached to it later.',
    resources: ['AWS::IAM::Role'],
    tests: [rulePack('PermissionsBoundaryPresent'), iamProof],
  },
  noForeigners: {
    does: 'No policy admits anybody outside the account, except accounts that the configuration names.',
    resources: ['AWS::S3::BucketPolicy', 'AWS::KMS::Key'],
    tests: [rulePack('NoForeignPrincipal'), iamProof],
  },
  keySeparation: {
    does: 'Those who administer a KMS key cannot use it, and those who use it cannot administer it.',
    resources: ['AWS::KMS::Key'],
    tests: [iamProof],
  },
  encryptionAtRest: {
    does: 'Buckets, logs and secrets are encrypted with customer managed keys; writes with other keys are denied.',
    resources: ['AWS::KMS::Key', 'AWS::S3::Bucket', 'AWS::S3::BucketPolicy', 'AWS::Logs::LogGroup'],
    tests: [rulePack('BucketDenyWrongKey'), rulePack('DirectoryBucketKmsRequired'), iamProof],
  },
  sealing: {
    does: 'Every database is sealed under a data key of its own with AES-256-GCM, bound to database and position; bytes in a wrong place do not open.',
    resources: ['AWS::KMS::Key'],
    tests: [
      { file: 'data-plane/src/keys/sealing.test.ts', name: 'never treats two positions as one' },
      { file: 'data-plane/test/node/exchanged-objects.test.ts', name: 'manifests of two databases, exchanged' },
    ],
  },
  revocation: {
    does: 'When a key is disabled or denied, its databases close within a minute and their data keys are overwritten.',
    resources: ['AWS::KMS::Key'],
    tests: [{ file: 'data-plane/src/keys/key-watch.test.ts', name: 'takes a refused key from its databases' }],
  },
  keyRotation: {
    does: 'Symmetric KMS keys rotate; data keys can be wrapped by another key while databases are used; a key that is deleted by mistake can be brought back.',
    resources: ['AWS::KMS::Key'],
    tests: [rulePack('KeyDeletionWindow')],
  },
  encryptionInTransit: {
    does: 'Clients come by TLS; plain HTTP to a bucket is denied to everybody.',
    resources: ['AWS::ElasticLoadBalancingV2::Listener', 'AWS::S3::BucketPolicy'],
    tests: [rulePack('DirectoryBucketDenyInsecureTransport'), iamProof],
  },
  privateNetwork: {
    does: 'Processes are in subnets without a route to the internet and reach AWS through endpoints whose policies name this account.',
    resources: ['AWS::EC2::VPCEndpoint', 'AWS::EC2::SecurityGroup'],
    tests: [rulePack('NoInternetRoute'), rulePack('EndpointPolicyNotWildcard')],
  },
  networkLogs: {
    does: 'Flow logs record who talked to whom.',
    resources: ['AWS::EC2::FlowLog'],
    tests: [rulePack('LogRetentionAtLeast')],
  },
  auditTrail: {
    does: 'CloudTrail records every access to objects of the buckets and every use of a key, with digest files, in a bucket whose objects are locked.',
    resources: ['AWS::CloudTrail::Trail', 'AWS::S3::Bucket'],
    tests: [{ file: 'cdk/test/evidence/control-matrix.test.ts', name: 'every resource type' }],
  },
  logRetention: {
    does: 'Logs are kept for the configured time, encrypted.',
    resources: ['AWS::Logs::LogGroup'],
    tests: [rulePack('LogRetentionAtLeast')],
  },
  alarms: {
    does: 'Alarms tell of failing nodes, refused keys, deletions of keys and uses of the emergency role.',
    resources: ['AWS::CloudWatch::Alarm', 'AWS::SNS::Topic'],
    tests: [{ file: 'cdk/test/evidence/control-matrix.test.ts', name: 'every resource type' }],
  },
  authentication: {
    does: 'Every request carries a signed token for one database or group; data nodes verify it against published keys and hold it to its time.',
    resources: [],
    tests: [
      { file: 'data-plane/src/auth/authorize.test.ts', name: 'refuses a foreign database' },
      { file: 'data-plane/src/auth/token-verifier.test.ts', name: 'checks the time at every use' },
    ],
  },
  durability: {
    does: 'A commit is acknowledged when the store has it; a node, a zone or the control plane can be lost without losing one.',
    resources: ['AWS::S3::Bucket'],
    tests: [
      { file: 'control-plane/test/separation.test.ts', name: 'serves, opens and recovers every existing database' },
      { file: 'data-plane/test/node/backup.test.ts', name: 'brings every acknowledged row back' },
    ],
  },
  restore: {
    does: 'Every commit of the configured window can be restored, as a database of its own beside the first.',
    resources: ['AWS::S3::Bucket'],
    tests: [{ file: 'control-plane/test/time-travel.test.ts', name: 'begin as their parent is, or was at a time' }],
  },
  integrity: {
    does: 'Damaged, exchanged or missing objects are found out when they are read; nothing false is ever served.',
    resources: [],
    tests: [{ file: 'data-plane/test/node/damaged-store.test.ts', name: 'a damaged object in the store' }],
  },
  retained: {
    does: 'Buckets and keys stay when their stack goes.',
    resources: ['AWS::S3::Bucket', 'AWS::KMS::Key'],
    tests: [rulePack('StatefulResourceRetained')],
  },
  pinnedImages: {
    does: 'Images are named by digest; containers have a read-only root, no root user and no capabilities.',
    resources: ['AWS::ECS::TaskDefinition'],
    tests: [rulePack('ImageByDigest'), rulePack('ContainerHardened')],
  },
  changeReview: {
    does: 'What is deployed is code: each change of a template is validated against the resource specification and the rule packs before it can be deployed.',
    resources: [],
    tests: [
      { file: 'cdk/compliance/service-specification/template-problems.test.ts', name: 'a planted typo' },
      { file: 'cdk/test/nag/acknowledgements.test.ts', name: 'acknowledge' },
    ],
  },
  inventoryOfParts: {
    does: 'The bill of materials of both images names every package with version and licence.',
    resources: [],
    tests: [{ file: 'cdk/compliance/evidence/sbom.test.ts', name: 'has no copyleft' }],
  },
} satisfies Readonly<Record<string, Measure>>;

export type MeasureName = keyof typeof measures;
