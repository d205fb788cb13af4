/**
 * Deploys two configurations into the emulator moto by `deploy.sh` and removes them by `remove.sh`, as `npm run templates` writes them,
 * with the real AWS CLI: one with removal protection and one without, each with objects in its buckets. With protection every step is
 * done twice: what is there, or gone, is no failure. Proves calls, order and conditions of the scripts; not what AWS would refuse.
 *   node .ci/scripts-in-moto.js          needs TURSO_BYOC_TEST_MOTO (.ci/install-s3-servers --environment),
 *                                        TURSO_BYOC_TEST_AWS_CLI (.ci/install-aws-cli --environment) and a build
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeploymentNames } from '../cdk/dist/config/deployment-names.js';
import { validateConfiguration } from '../cdk/dist/config/validate-configuration.js';
import { deployment } from '../cdk/dist/examples/dev.js';
import { EmulatedAccount, must } from './emulated-account.js';

/** Objects in a bucket: more than one request deletes, with former versions and markers. */
const objects = 600;

const account = await EmulatedAccount.start(deployment);
try {
  const arn = account.python(
    `import boto3; print(boto3.client('acm').request_certificate(DomainName='${deployment.domain.name}')['CertificateArn'])`,
  );
  account.python(`
import boto3
boto3.client('s3').create_bucket(Bucket='templates', CreateBucketConfiguration={'LocationConstraint': '${deployment.region}'})`);
  const domain = { ...deployment.domain, certificate: { kind: 'import', arn } };
  comeAndGo({ ...deployment, name: 'passing', domain });
  comeAndGo({
    ...deployment,
    name: 'protected',
    domain,
    removalProtection: true,
    zones: [...deployment.zones, { name: 'eu-west-1c', id: 'euw1-az3' }],
    dataNodes: { ...deployment.dataNodes, minimum: 2 },
    controlPlane: { ...deployment.controlPlane, count: 2 },
    alarms: { emailAddresses: ['on-call@example.com'] },
  });
} finally {
  account.close();
}

function comeAndGo(configuration) {
  const { name, removalProtection } = configuration;
  const names = new DeploymentNames(validateConfiguration(configuration));
  const file = join(account.directory, `${name}.json`);
  writeFileSync(file, JSON.stringify(configuration));
  const templates = join(account.directory, name);
  const command = fileURLToPath(new URL('../cdk/dist/bin/templates.js', import.meta.url));
  run(process.execPath, command, file, '--output', templates);
  const script = (script, ...args) => run('sh', join(templates, script), ...args);

  const times = removalProtection ? ['first', 'again'] : ['first'];
  for (const _ of times) script('deploy.sh', '--s3-bucket', 'templates');
  const deployed = look(names);
  must(
    deployed.stacks.length === 7 && deployed.protected.length === (removalProtection ? 7 : 0),
    `${name}: deploy.sh makes seven stacks, protected as configured`,
    JSON.stringify(deployed),
  );
  account.python(`
import boto3
s3 = boto3.client('s3')
for bucket in ('${names.bucket('data')}', '${names.bucket('control')}', '${names.bucket('log')}', '${names.bucket('access')}'):
    # The emulator's CloudFormation leaves it off.
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={'Status': 'Enabled'})
    for at in range(${objects} if bucket.find('data') > 0 else 3):
        for version in range(2): s3.put_object(Bucket=bucket, Key=f'data/{at}', Body=b'x')
    s3.delete_object(Bucket=bucket, Key='data/1')`);

  const stranger = spawnSync('sh', [join(templates, 'remove.sh'), '--delete-data'], { env: account.environment });
  must(stranger.status === 64, `${name}: remove.sh deletes no data when it is asked once`, String(stranger.stderr));
  for (const _ of times) script('remove.sh');
  const left = look(names);
  must(
    left.stacks.join() === names.stack('foundation') &&
      left.versions === 2 * objects + 1 &&
      left.enabledKeys.length === 7,
    `${name}: remove.sh leaves the foundation, and every version of every object`,
    JSON.stringify(left),
  );
  for (const _ of times) script('remove.sh', '--delete-data', '--deployment', name);
  const gone = look(names);
  must(
    gone.stacks.length === 0 && gone.buckets.join() === names.bucket('audit'),
    `${name}: with both arguments nothing is left but the audit bucket`,
    JSON.stringify(gone),
  );
  must(
    gone.enabledKeys.join() === 'audit' && gone.secrets === 0,
    `${name}: no key is left but that of the audit trail, and no secret`,
    JSON.stringify(gone),
  );
}

/** Of one deployment: stacks, those that are protected, buckets, versions in the data bucket, keys in use. */
function look(names) {
  return JSON.parse(
    account.python(`
import boto3, json
cf, s3, kms = boto3.client('cloudformation'), boto3.client('s3'), boto3.client('kms')
stacks = [s for s in cf.describe_stacks()['Stacks'] if s['StackName'].startswith('${names.prefix}-')]
buckets = [b['Name'] for b in s3.list_buckets()['Buckets'] if b['Name'].startswith('${names.bucket('data').split('-data-')[0]}-')]
versions = 0
if '${names.bucket('data')}' in buckets:
    for page in s3.get_paginator('list_object_versions').paginate(Bucket='${names.bucket('data')}'):
        versions += len(page.get('Versions', [])) + len(page.get('DeleteMarkers', []))
purposes = {}
for key in kms.list_keys()['Keys']:
    tags = {t['TagKey']: t['TagValue'] for t in kms.list_resource_tags(KeyId=key['KeyId'])['Tags']}
    if tags.get('turso-byoc:deployment') == '${names.prefix.slice('turso-byoc-'.length)}':
        purposes[tags['turso-byoc:key']] = kms.describe_key(KeyId=key['KeyId'])['KeyMetadata']['KeyState']
secrets = [s for s in boto3.client('secretsmanager').list_secrets()['SecretList']
    if s['Name'].startswith('${names.secret('').replace(/\/$/, '')}') and 'DeletedDate' not in s]
print(json.dumps({'stacks': [s['StackName'] for s in stacks], 'buckets': buckets, 'versions': versions,
    'protected': [s['StackName'] for s in stacks if s.get('EnableTerminationProtection')],
    'enabledKeys': [p for p, state in purposes.items() if state == 'Enabled'], 'secrets': len(secrets)}))`),
  );
}

/** Runs a program; throws with what it printed when it fails. */
function run(program, ...args) {
  const { status, output } = spawnSync(program, args, {
    env: account.environment,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const printed = output.join('');
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}:\n${printed}`);
  return printed;
}
