/**
 * Deploys the example `dev` with the real CDK CLI into the emulator moto: everything at first, then a change of one setting, then no
 * change. Proves that the CLI takes the app, the order of the stacks and the references between them; not what AWS would say.
 * Then the `aws` commands of all documents and runbooks are run in that deployment, by the real AWS CLI.
 *   node .ci/deploy-into-moto.js          needs TURSO_BYOC_TEST_MOTO (.ci/install-s3-servers --environment),
 *                                         TURSO_BYOC_TEST_AWS_CLI (.ci/install-aws-cli --environment) and a build
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeploymentNames } from '../cdk/dist/config/deployment-names.js';
import { validateConfiguration } from '../cdk/dist/config/validate-configuration.js';
import { deployment } from '../cdk/dist/examples/dev.js';
import { runAwsCommands } from './aws-commands.js';
import { EmulatedAccount, must } from './emulated-account.js';

const account = await EmulatedAccount.start(deployment);

/** Deploys a configuration with the CLI; gives what it printed. */
function deploy(configuration) {
  const file = join(account.directory, 'deployment.json');
  writeFileSync(file, JSON.stringify(configuration));
  const context = ['-c', `deployment=${file}`, '--output', join(account.directory, 'cdk.out')];
  return cdk('deploy', '--all', '--method=direct', '--require-approval=never', ...context);
}

/** Runs the CLI; throws with what it printed when it fails. */
function cdk(...args) {
  const cli = new URL('../node_modules/aws-cdk/bin/cdk', import.meta.url).pathname;
  // Standard error is where the CLI reports its progress.
  const { status, output } = spawnSync(process.execPath, [cli, ...args, '--no-color', '--no-notices'], {
    env: account.environment,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const printed = output.join('');
  if (status !== 0) throw new Error(`cdk ${args[0]} ended with ${status}:\n${printed}`);
  return printed;
}

/** The load balancer of the emulator takes certificates only that the emulator has. */
function requestCertificate() {
  const program = `import boto3; print(boto3.client('acm').request_certificate(DomainName='${deployment.domain.name}')['CertificateArn'])`;
  return account.python(program);
}

/** What the emulator has: states of stacks, counts of resources, and the commit window of the data nodes. */
function look() {
  const program = `
import boto3, json
cf, ecs, kms = boto3.client('cloudformation'), boto3.client('ecs'), boto3.client('kms')
stacks = {s['StackName']: s['StackStatus'] for s in cf.describe_stacks()['Stacks']}
services = ecs.list_services(cluster='turso-byoc-dev')['serviceArns']
task = ecs.describe_task_definition(taskDefinition='turso-byoc-dev-data-node')['taskDefinition']
# The emulator describes an updated task without its environment; what was deployed is in the template.
template = cf.get_template(StackName='turso-byoc-dev-data-plane')['TemplateBody']
resources = (json.loads(template) if isinstance(template, str) else template)['Resources'].values()
containers = [c for r in resources if r['Type'] == 'AWS::ECS::TaskDefinition' for c in r['Properties']['ContainerDefinitions']]
variables = {v['Name']: v['Value'] for v in containers[0]['Environment']}
print(json.dumps({'stacks': stacks, 'services': len(services), 'keys': len(kms.list_keys()['Keys']),
    'revision': task['revision'], 'window': variables.get('TURSO_BYOC_COMMIT_WINDOW_MS')}))`;
  return JSON.parse(account.python(program));
}

/**
 * What the words in capitals of the documents stand for in this deployment. The trail is made here, under the name that its template
 * gives it: the emulator's CloudFormation passes trails over.
 */
function documentValues() {
  const names = new DeploymentNames(validateConfiguration(deployment));
  const program = `
import boto3, json
kms, elb = boto3.client('kms'), boto3.client('elbv2')
boto3.client('cloudtrail').create_trail(Name='${names.trail}', S3BucketName='${names.bucket('audit')}')
keys = {a['AliasName']: a.get('TargetKeyId') for a in kms.list_aliases()['Aliases']}
groups = {g['TargetGroupName']: g['TargetGroupArn'] for g in elb.describe_target_groups()['TargetGroups']}
print(json.dumps({'KEY_ID': keys['alias/${names.keyAlias('databases')}'], 'TARGET_GROUP_ARN': groups['turso-byoc-dev-nodes']}))`;
  const found = JSON.parse(account.python(program));
  const { name, region } = deployment;
  return {
    ...found,
    ACCOUNT: deployment.account,
    REGION: region,
    NAME: name,
    '<name>': name,
    HASH: '0a1b',
    EPOCH: '7',
  };
}

try {
  cdk('bootstrap', `aws://${deployment.account}/${deployment.region}`);
  const certificate = { kind: 'import', arn: requestCertificate() };
  const configuration = { ...deployment, domain: { ...deployment.domain, certificate } };
  const first = deploy(configuration);
  const made = look();
  const done = Object.entries(made.stacks).filter(
    ([name, state]) => name.startsWith('turso-byoc-dev-') && state === 'CREATE_COMPLETE',
  );
  must(done.length === 7, 'seven stacks are made', `${JSON.stringify(made.stacks)}\n${first}`);
  must(
    made.services === 2 && made.window === '100',
    'two services run, with the commit window of the example',
    JSON.stringify(made),
  );
  must(made.keys >= 7, 'the keys are there', JSON.stringify(made));

  const changed = { ...configuration, dataNodes: { ...deployment.dataNodes, commitWindowMs: 50 } };
  const second = deploy(changed);
  const updated = look();
  must(
    updated.window === '50' && updated.revision === made.revision + 1,
    'a changed setting reaches the newest task of the data nodes',
    `${JSON.stringify(updated)}\n${second}`,
  );
  must(
    updated.stacks['turso-byoc-dev-data-plane'] === 'UPDATE_COMPLETE' &&
      updated.stacks['turso-byoc-dev-foundation'] === 'CREATE_COMPLETE',
    'only what changed is updated',
    JSON.stringify(updated.stacks),
  );

  const third = deploy(changed);
  const unchanged = (third.match(/\(no changes\)/g) ?? []).length;
  must(unchanged === 7, 'nothing changes when nothing changed', third);

  const { failed, parsed, ran } = runAwsCommands(account.environment, documentValues());
  for (const command of parsed) console.log(`not run but parsed, the emulator has none of it: ${command}`);
  must(failed.length === 0 && ran > 0, `${ran} commands of the documents are run by the AWS CLI`, failed.join('\n'));
} finally {
  account.close();
}
