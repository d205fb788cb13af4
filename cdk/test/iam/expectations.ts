import type { PolicyDocument } from '../../compliance/iam/policy-document.js';
import type { DeploymentArns } from './deployment-arns.js';
import type { AccessRequest, Verdict } from './policy-simulator.js';

export interface Expectation {
  /** Who tries what. */
  readonly says: string;
  readonly request: AccessRequest;
  readonly expected: Verdict;
}

const anything: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['*'], Resource: ['*'] }],
};
const foreignAccount = '999988887777';
const foreignKey = `arn:aws:kms:us-east-1:${foreignAccount}:key/11111111-2222-4333-8444-555555555555`;

type Context = Readonly<Record<string, string | readonly string[]>>;

/**
 * Who may do what in the production example: one line for each promise of docs/compliance.md, and for each way around it that
 * somebody would try. "An administrator" is a role of the account with every right that IAM can give.
 */
export function expectations(arns: DeploymentArns): readonly Expectation[] {
  const { names, configuration } = arns;
  const { account, region } = configuration;
  const lines: Expectation[] = [];

  const principals = {
    'a data node': { principal: names.roleArn('data-node') },
    'the start of a data node': { principal: names.roleArn('data-node-start') },
    'the control plane': { principal: names.roleArn('control-plane') },
    'the start of the control plane': { principal: names.roleArn('control-plane-start') },
    'a container instance': { principal: names.roleArn('container-instance') },
    'the emergency role': { principal: names.roleArn('emergency') },
    'an administrator': { principal: `arn:aws:iam::${account}:role/administrator`, policies: [anything] },
    'the key administrator': { principal: `arn:aws:iam::${account}:role/key-administrator`, policies: [anything] },
    'a foreign account': { principal: `arn:aws:iam::${foreignAccount}:role/anybody`, policies: [anything] },
    'somebody on call': { principal: `arn:aws:iam::${account}:role/on-call`, policies: [anything] },
    'a task of ECS': { principal: 'ecs-tasks.amazonaws.com' },
    'a function of Lambda': { principal: 'lambda.amazonaws.com' },
    CloudTrail: { principal: 'cloudtrail.amazonaws.com' },
    'CloudWatch Logs': { principal: `logs.${region}.amazonaws.com` },
    'the load balancer': { principal: 'logdelivery.elasticloadbalancing.amazonaws.com' },
    EventBridge: { principal: 'events.amazonaws.com' },
    'CloudWatch alarms': { principal: 'cloudwatch.amazonaws.com' },
    'S3 Lifecycle': { principal: 'lifecycle.s3.amazonaws.com' },
    // Its policies are AWS's own: what keys allow has to be enough.
    'Auto Scaling': { principal: names.autoScalingRoleArn },
    'an auditor': { principal: `arn:aws:iam::${account}:role/auditor`, policies: [anything] },
  } as const;
  type Who = keyof typeof principals;

  const add = (
    expected: Verdict,
    who: Who,
    action: string,
    resource: string,
    context: Context = {},
    more: Partial<AccessRequest> = {},
    how = '',
  ) =>
    lines.push({
      says: `${who} ${expected === 'allowed' ? 'may' : 'may not'} ${action} ${resource.replace(/^arn:aws:/, '')}${how === '' ? '' : `, ${how}`}`,
      request: { ...principals[who], action, resource, resourceAccount: account, context, ...more },
      expected,
    });
  const may = (
    who: Who,
    action: string,
    resource: string,
    context?: Context,
    how?: string,
    more?: Partial<AccessRequest>,
  ) => add('allowed', who, action, resource, context, more, how);
  const mayNot = (
    who: Who,
    action: string,
    resource: string,
    context?: Context,
    how?: string,
    more?: Partial<AccessRequest>,
  ) => add('denied', who, action, resource, context, more, how);

  const inside: Context = { 'aws:SourceVpc': arns.vpc };
  const throughS3: Context = { 'kms:ViaService': `s3.${region}.amazonaws.com` };
  const throughExpress: Context = {
    'kms:ViaService': `s3express.${region}.amazonaws.com`,
    'kms:CallerAccount': account,
  };
  const ofSecret: Context = {
    'kms:ViaService': `secretsmanager.${region}.amazonaws.com`,
    'kms:EncryptionContext:SecretARN': arns.secret('admin-credential'),
  };
  const ofBucket = (kind: 'data' | 'control' | 'audit'): Context => ({
    ...throughS3,
    'kms:EncryptionContext:aws:s3:arn': names.bucketArn(kind),
  });
  const dataKey: Context = {
    'kms:EncryptionContextKeys': ['deployment', 'organization', 'group', 'database'],
    'kms:EncryptionContext:deployment': 'd',
    'kms:EncryptionContext:organization': 'o',
    'kms:EncryptionContext:group': 'g',
    'kms:EncryptionContext:database': 'b',
  };
  const { 'kms:EncryptionContext:database': _, ...withoutDatabase } = dataKey;

  const data = `${names.bucketArn('data')}/data/manifests/00/x`;
  const control = `${names.bucketArn('control')}/control/verification-keys`;
  const audit = `${names.bucketArn('audit')}/AWSLogs/${account}/CloudTrail/x`;
  const auditLog = `${names.bucketArn('audit')}/platform/audit/0000000000000001.jsonl`;
  const access = `${names.bucketArn('access')}/load-balancer/AWSLogs/${account}/x`;
  const [zone = ''] = names.directoryBucketZoneIds;
  const log = names.directoryBucketArn(zone);
  const session: Context = { ...inside, 's3express:SessionMode': 'ReadWrite' };

  // Data nodes: their own prefixes, from inside the network, over TLS, under the bucket's key.
  may('a data node', 's3:GetObject', data, inside);
  may('a data node', 's3:PutObject', data, inside);
  may('a data node', 's3:DeleteObject', data, inside);
  may('a data node', 's3:AbortMultipartUpload', data, inside);
  may(
    'a data node',
    's3:ListBucket',
    names.bucketArn('data'),
    { ...inside, 's3:prefix': 'data/manifests/' },
    'below its prefix',
  );
  may('a data node', 's3:DeleteObjectVersion', data, inside);
  may(
    'a data node',
    's3:ListBucketVersions',
    names.bucketArn('data'),
    { ...inside, 's3:prefix': 'data/manifests/00/x' },
    'of manifests',
  );
  mayNot('a data node', 's3:ListBucketVersions', names.bucketArn('data'), inside, 'as a whole');
  mayNot(
    'a data node',
    's3:DeleteObjectVersion',
    `${names.bucketArn('data')}/data/objects/00/x`,
    inside,
    'of anything but manifests',
  );
  may('a data node', 's3:GetObject', control, inside);
  may('a data node', 's3express:CreateSession', log, session);
  may('a data node', 's3:GetObject', data, inside, 'through the endpoint', { endpoint: arns.endpoint('s3') });
  may('a data node', 's3express:CreateSession', log, session, 'through the endpoint', {
    endpoint: arns.endpoint('s3express'),
  });
  mayNot('a data node', 's3:ListBucket', names.bucketArn('data'), inside, 'as a whole');
  mayNot('a data node', 's3:GetObject', `${names.bucketArn('data')}/elsewhere/x`, inside, 'outside its prefix');
  mayNot('a data node', 's3:PutObject', control, inside);
  mayNot('a data node', 's3:DeleteObject', control, inside);
  mayNot('a data node', 's3:GetObject', audit, inside);
  mayNot('a data node', 's3:PutObject', audit, inside);
  mayNot('a data node', 's3:GetObject', data, { 'aws:SourceVpc': 'vpc-0123456789abcdef0' }, 'from another network');
  mayNot('a data node', 's3:GetObject', data, {}, 'from the internet');
  mayNot('a data node', 's3express:CreateSession', log, { 's3express:SessionMode': 'ReadWrite' }, 'from the internet');
  mayNot('a data node', 's3:GetObject', data, { ...inside, 'aws:SecureTransport': 'false' }, 'over plain HTTP');
  mayNot('a data node', 's3:PutObject', data, { ...inside, 'aws:SecureTransport': 'false' }, 'over plain HTTP');
  mayNot(
    'a data node',
    's3express:CreateSession',
    log,
    { ...session, 'aws:SecureTransport': 'false' },
    'over plain HTTP',
  );
  mayNot('a data node', 's3:GetObject', data, { ...inside, 's3:TlsVersion': '1.1' }, 'with an old TLS');
  const under = (key: string): Context => ({
    ...inside,
    's3:x-amz-server-side-encryption': 'aws:kms',
    's3:x-amz-server-side-encryption-aws-kms-key-id': key,
  });
  may('a data node', 's3:PutObject', data, under(arns.key('data')), 'under the key of the bucket');
  mayNot('a data node', 's3:PutObject', data, under(arns.key('control')), 'under another key');
  mayNot('a data node', 's3:PutObject', data, under(foreignKey), 'under a foreign key');
  mayNot(
    'a data node',
    's3:PutObject',
    data,
    { ...inside, 's3:x-amz-server-side-encryption': 'AES256' },
    'under no key of KMS',
  );
  mayNot('a data node', 's3:PutBucketPolicy', names.bucketArn('data'), inside);
  mayNot('a data node', 's3:DeleteBucket', names.bucketArn('data'), inside);
  mayNot('a data node', 's3:PutObject', 'arn:aws:s3:::somebody-elses-bucket/x', inside, 'to carry data out', {
    resourceAccount: foreignAccount,
  });

  // Data nodes and keys.
  may('a data node', 'kms:GenerateDataKeyWithoutPlaintext', arns.key('databases'), dataKey);
  may('a data node', 'kms:Decrypt', arns.key('databases'), dataKey);
  may('a data node', 'kms:Decrypt', arns.key('group/payments'), dataKey);
  may('a data node', 'kms:Decrypt', arns.key('databases'), dataKey, 'through the endpoint', {
    endpoint: arns.endpoint('kms'),
  });
  may('a data node', 'kms:GenerateDataKey', arns.key('data'), ofBucket('data'));
  may('a data node', 'kms:Decrypt', arns.key('log'), throughExpress);
  mayNot('a data node', 'kms:Decrypt', arns.key('databases'), {}, 'without a context');
  mayNot('a data node', 'kms:Decrypt', arns.key('databases'), withoutDatabase, 'without a database in the context');
  mayNot(
    'a data node',
    'kms:Decrypt',
    arns.key('databases'),
    {
      ...dataKey,
      'kms:EncryptionContextKeys': ['deployment', 'organization', 'group', 'database', 'more'],
      'kms:EncryptionContext:more': 'x',
    },
    'with more in the context',
  );
  mayNot('a data node', 'kms:GenerateDataKey', arns.key('databases'), dataKey, 'in plaintext');
  may('a data node', 'kms:Encrypt', arns.key('databases'), dataKey);
  mayNot('a data node', 'kms:Encrypt', arns.key('databases'), {}, 'without a context');
  mayNot('a data node', 'kms:Decrypt', arns.key('data'), {}, 'past S3');
  mayNot('a data node', 'kms:Decrypt', arns.key('log'), {}, 'past S3');
  mayNot('a data node', 'kms:Decrypt', arns.key('audit'), throughS3);
  mayNot('a data node', 'kms:Sign', arns.key('signing'));
  mayNot('a data node', 'kms:ScheduleKeyDeletion', arns.key('databases'));
  mayNot('a data node', 'kms:PutKeyPolicy', arns.key('databases'));
  mayNot('a data node', 'kms:Decrypt', foreignKey, dataKey, 'a foreign one', { resourceAccount: foreignAccount });

  // Data nodes can become nobody and make nothing.
  mayNot('a data node', 'sts:AssumeRole', names.roleArn('control-plane'));
  mayNot('a data node', 'sts:AssumeRole', names.roleArn('emergency'), { 'aws:MultiFactorAuthPresent': 'true' });
  mayNot('a data node', 'iam:PassRole', names.roleArn('control-plane'));
  mayNot('a data node', 'iam:CreateRole', `arn:aws:iam::${account}:role/new`);
  mayNot('a data node', 'iam:PutRolePolicy', names.roleArn('data-node'));
  mayNot('a data node', 'secretsmanager:GetSecretValue', arns.secret('admin-credential'));

  // The control plane holds no right to data and to database keys.
  may('the control plane', 's3:PutObject', control, inside);
  may('the control plane', 's3:GetObject', control, inside);
  const signing = { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' };
  may('the control plane', 'kms:Sign', arns.key('signing'), signing);
  may('the control plane', 'kms:GetPublicKey', arns.key('signing'));
  mayNot('the control plane', 's3:GetObject', data, inside);
  mayNot('the control plane', 's3:PutObject', data, inside);
  mayNot('the control plane', 's3:DeleteObject', data, inside);
  mayNot('the control plane', 's3:ListBucket', names.bucketArn('data'), { ...inside, 's3:prefix': 'data/' });
  mayNot('the control plane', 's3express:CreateSession', log, session);
  mayNot(
    'the control plane',
    's3express:CreateSession',
    log,
    { ...inside, 's3express:SessionMode': 'ReadOnly' },
    'for reading',
  );
  mayNot('the control plane', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('the control plane', 'kms:Decrypt', arns.key('group/payments'), dataKey);
  mayNot('the control plane', 'kms:GenerateDataKeyWithoutPlaintext', arns.key('databases'), dataKey);
  mayNot('the control plane', 'kms:ReEncryptFrom', arns.key('databases'), dataKey);
  mayNot('the control plane', 'kms:Decrypt', arns.key('data'), ofBucket('data'));
  mayNot('the control plane', 'kms:Decrypt', arns.key('log'), throughExpress);
  mayNot('the control plane', 'kms:CreateGrant', arns.key('databases'));
  mayNot(
    'the control plane',
    'kms:Sign',
    arns.key('signing'),
    { ...signing, 'kms:SigningAlgorithm': 'ED25519_PH_SHA_512' },
    'in another way',
  );
  mayNot(
    'the control plane',
    's3:PutObject',
    control,
    { ...inside, 'aws:SecureTransport': 'false' },
    'over plain HTTP',
  );
  mayNot('the control plane', 's3:GetObject', control, {}, 'from the internet');
  mayNot('the control plane', 'sts:AssumeRole', names.roleArn('data-node'));
  mayNot('the control plane', 's3:GetObject', audit, inside);
  // Its audit log it only adds to, and nobody else does; whoever may read the trail reads it, too.
  const created: Context = { ...inside, 's3:if-none-match': '*', 's3:ObjectCreationOperation': 'true' };
  const replaced: Context = { ...inside, 's3:ObjectCreationOperation': 'true' };
  may('the control plane', 's3:PutObject', auditLog, created, 'of a new object');
  may('the control plane', 's3:GetObject', auditLog, inside);
  may('the control plane', 's3:ListBucket', names.bucketArn('audit'), { ...inside, 's3:prefix': 'platform/audit/' });
  may('the control plane', 'kms:GenerateDataKey', arns.key('audit'), ofBucket('audit'));
  mayNot('the control plane', 's3:PutObject', auditLog, replaced, 'over an object');
  mayNot('the control plane', 's3:PutObject', audit, created, 'in the trail');
  mayNot('the control plane', 's3:DeleteObject', auditLog, inside);
  mayNot('the control plane', 's3:DeleteObjectVersion', auditLog, inside);
  mayNot('the control plane', 's3:BypassGovernanceRetention', auditLog, inside);
  mayNot('the control plane', 's3:ListBucket', names.bucketArn('audit'), { ...inside, 's3:prefix': 'AWSLogs/' });
  mayNot('a data node', 's3:PutObject', auditLog, created);
  mayNot('a data node', 's3:GetObject', auditLog, inside);
  mayNot('a data node', 'kms:Decrypt', arns.key('audit'), ofBucket('audit'), 'of the bucket');
  mayNot('an administrator', 's3:PutObject', auditLog, created);
  mayNot('an administrator', 's3:DeleteObject', auditLog);

  // What starts processes reads their secrets, no data.
  may('the start of a data node', 'secretsmanager:GetSecretValue', arns.secret('admin-credential'));
  may('the start of a data node', 'kms:Decrypt', arns.key('control'), ofSecret, 'of a secret');
  mayNot(
    'the start of a data node',
    'kms:Decrypt',
    arns.key('control'),
    {
      ...ofSecret,
      'kms:EncryptionContext:SecretARN': `arn:aws:secretsmanager:${region}:${account}:secret:other-aaaaaa`,
    },
    'of another secret',
  );
  mayNot('a data node', 'kms:Decrypt', arns.key('control'), ofSecret, 'of a secret');
  mayNot('the start of a data node', 's3:GetObject', data, inside);
  mayNot('the start of a data node', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('the start of a data node', 'kms:Decrypt', arns.key('control'), ofBucket('control'), 'of the bucket');
  mayNot('the start of the control plane', 's3:PutObject', control, inside);
  mayNot('the start of the control plane', 'kms:Sign', arns.key('signing'), signing);
  mayNot('a container instance', 's3:GetObject', data, inside);
  mayNot('a container instance', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('a container instance', 'secretsmanager:GetSecretValue', arns.secret('admin-credential'));

  // Administrators of the account reach no data, whatever IAM gives them; key administrators do not use keys.
  mayNot('an administrator', 's3:GetObject', data);
  mayNot('an administrator', 's3:GetObject', data, inside, 'from inside');
  mayNot('an administrator', 's3:PutObject', data);
  mayNot('an administrator', 's3:DeleteObjectVersion', data);
  mayNot('an administrator', 's3express:CreateSession', log, { 's3express:SessionMode': 'ReadOnly' });
  mayNot('an administrator', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('an administrator', 'kms:Decrypt', arns.key('data'), ofBucket('data'));
  mayNot('an administrator', 'kms:CreateGrant', arns.key('databases'));
  mayNot('an administrator', 'kms:ScheduleKeyDeletion', arns.key('databases'));
  mayNot('an administrator', 'kms:DisableKey', arns.key('group/payments'));
  // S3 Express gives a session's requests no caller that a key policy could name: who may open a session is what is guarded.
  may(
    'an administrator',
    'kms:Decrypt',
    arns.key('log'),
    throughExpress,
    'through S3 Express, where no session is for it',
  );
  may('an administrator', 'kms:DescribeKey', arns.key('databases'));
  may('the key administrator', 'kms:ScheduleKeyDeletion', arns.key('databases'));
  may('the key administrator', 'kms:DisableKey', arns.key('databases'));
  mayNot('the key administrator', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('the key administrator', 'kms:GenerateDataKey', arns.key('data'), ofBucket('data'));

  // Nobody becomes a process; breaking glass takes a second factor.
  const ofEcs = { 'aws:SourceAccount': account, 'aws:SourceArn': `arn:aws:ecs:${region}:${account}:task/x` };
  may('a task of ECS', 'sts:AssumeRole', names.roleArn('data-node'), ofEcs);
  may('a task of ECS', 'sts:AssumeRole', names.roleArn('control-plane'), ofEcs);
  mayNot(
    'a task of ECS',
    'sts:AssumeRole',
    names.roleArn('data-node'),
    { ...ofEcs, 'aws:SourceAccount': foreignAccount },
    'of a foreign account',
  );
  mayNot('a task of ECS', 'sts:AssumeRole', names.roleArn('emergency'), ofEcs);
  mayNot('a function of Lambda', 'sts:AssumeRole', names.roleArn('data-node'), { 'aws:SourceAccount': account });
  mayNot('an administrator', 'sts:AssumeRole', names.roleArn('data-node'));
  mayNot('an administrator', 'sts:AssumeRole', names.roleArn('control-plane'));
  const inEmergency = { 'aws:MultiFactorAuthPresent': 'true', 'aws:RequestedRegion': region };
  mayNot('an administrator', 'sts:AssumeRole', names.roleArn('emergency'), inEmergency);
  may('somebody on call', 'sts:AssumeRole', names.roleArn('emergency'), inEmergency);
  mayNot(
    'somebody on call',
    'sts:AssumeRole',
    names.roleArn('emergency'),
    { ...inEmergency, 'aws:MultiFactorAuthPresent': 'false' },
    'without a second factor',
  );
  mayNot(
    'somebody on call',
    'sts:AssumeRole',
    names.roleArn('emergency'),
    { ...inEmergency, 'aws:RequestedRegion': 'us-gov-east-1' },
    'where no alarm sees it',
  );
  mayNot('somebody on call', 'sts:AssumeRole', names.roleArn('data-node'), inEmergency);

  // Breaking glass reads data, under the same guards.
  may('the emergency role', 's3:GetObject', data);
  may('the emergency role', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('the emergency role', 's3:GetObject', data, { 'aws:SecureTransport': 'false' }, 'over plain HTTP');
  mayNot('the emergency role', 's3:DeleteObject', audit);
  mayNot('the emergency role', 'kms:ScheduleKeyDeletion', arns.key('databases'));

  // Nobody outside the account.
  mayNot('a foreign account', 's3:GetObject', data);
  mayNot('a foreign account', 's3:PutObject', data);
  mayNot('a foreign account', 's3:GetObject', audit);
  mayNot('a foreign account', 's3express:CreateSession', log, { 's3express:SessionMode': 'ReadOnly' });
  mayNot('a foreign account', 'kms:Decrypt', arns.key('databases'), dataKey);
  mayNot('a foreign account', 'kms:DescribeKey', arns.key('databases'));
  mayNot('a foreign account', 'sts:AssumeRole', names.roleArn('emergency'), inEmergency);
  mayNot('a foreign account', 's3:PutObject', data, inside, 'through the endpoint', { endpoint: arns.endpoint('s3') });
  mayNot(
    'a foreign account',
    's3:GetObject',
    'arn:aws:s3:::their-own-bucket/x',
    inside,
    'of its own, through the endpoint',
    {
      endpoint: arns.endpoint('s3'),
      resourceAccount: foreignAccount,
    },
  );

  // Services of AWS deliver what they have to, for this deployment only.
  const ofTrail = { 'aws:SourceArn': names.trailArn };
  may('CloudTrail', 's3:PutObject', audit, ofTrail);
  mayNot(
    'CloudTrail',
    's3:PutObject',
    audit,
    { 'aws:SourceArn': `arn:aws:cloudtrail:us-east-1:${foreignAccount}:trail/other` },
    'for a foreign trail',
  );
  mayNot('CloudTrail', 's3:PutObject', data, ofTrail);
  may('the load balancer', 's3:PutObject', access);
  mayNot('the load balancer', 's3:PutObject', access.replace(`/${account}/`, `/${foreignAccount}/`));

  // Who encrypts and publishes for the deployment, with what these services send, and nothing that they do not.
  const trailContext = { 'kms:EncryptionContext:aws:cloudtrail:arn': names.trailArn };
  may('CloudTrail', 'kms:GenerateDataKey', arns.key('audit'), { ...ofTrail, ...trailContext });
  may('CloudTrail', 'kms:DescribeKey', arns.key('audit'), ofTrail, 'without a context');
  may('CloudTrail', 'kms:Decrypt', arns.key('audit'), ofTrail, 'of the bucket');
  mayNot('CloudTrail', 'kms:DescribeKey', arns.key('data'), ofTrail);
  const ofTopic = { 'kms:EncryptionContext:aws:sns:topicArn': names.alarmTopicArn };
  may('EventBridge', 'sns:Publish', names.alarmTopicArn, {}, 'with nothing that says whose rule it is');
  may('EventBridge', 'kms:GenerateDataKey', arns.key('audit'), ofTopic);
  mayNot('EventBridge', 'kms:GenerateDataKey', arns.key('audit'), {
    'kms:EncryptionContext:aws:sns:topicArn': `${names.alarmTopicArn}-other`,
  });
  mayNot('EventBridge', 'kms:GenerateDataKey', arns.key('data'), ofTopic);
  may('CloudWatch alarms', 'sns:Publish', names.alarmTopicArn, { 'aws:SourceAccount': account });
  may('CloudWatch alarms', 'kms:GenerateDataKey', arns.key('audit'), { 'aws:SourceAccount': account });
  mayNot('CloudWatch alarms', 'sns:Publish', names.alarmTopicArn, { 'aws:SourceAccount': foreignAccount });
  may('an auditor', 'kms:Decrypt', arns.key('audit'), ofBucket('audit'));
  may('an auditor', 's3:GetObject', audit);
  mayNot('an auditor', 'kms:Decrypt', arns.key('audit'), {}, 'but through S3');
  mayNot('an auditor', 'kms:Decrypt', arns.key('data'), ofBucket('data'));
  mayNot('an administrator', 'kms:Decrypt', arns.key('audit'), ofBucket('audit'));
  const throughEc2 = { 'kms:CallerAccount': account, 'kms:ViaService': `ec2.${region}.amazonaws.com` };
  const grant = { 'kms:CallerAccount': account, 'kms:GrantIsForAWSResource': 'true' };
  may('Auto Scaling', 'kms:GenerateDataKeyWithoutPlaintext', arns.key('disks'), throughEc2);
  may('Auto Scaling', 'kms:CreateGrant', arns.key('disks'), grant);
  may('Auto Scaling', 'kms:GenerateDataKey', arns.key('audit'), { 'kms:CallerAccount': account, ...ofTopic });
  mayNot('Auto Scaling', 'kms:CreateGrant', arns.key('databases'), grant);
  mayNot('an administrator', 'kms:CreateGrant', arns.key('disks'), grant);
  mayNot('a foreign account', 'kms:CreateGrant', arns.key('disks'), { ...grant, 'kms:CallerAccount': foreignAccount });
  may('S3 Lifecycle', 's3express:CreateSession', log, {
    's3express:SessionMode': 'ReadWrite',
    'aws:PrincipalIsAWSService': 'true',
  });
  may('CloudWatch Logs', 'kms:Decrypt', arns.key('audit'), {
    'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${account}:log-group:${names.logGroup('data-node')}`,
  });
  mayNot(
    'CloudWatch Logs',
    'kms:Decrypt',
    arns.key('audit'),
    {
      'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${region}:${foreignAccount}:log-group:theirs`,
    },
    'for a foreign log group',
  );
  mayNot('CloudWatch Logs', 'kms:Decrypt', arns.key('databases'), dataKey);
  return lines;
}
