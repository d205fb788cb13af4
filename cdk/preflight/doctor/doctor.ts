import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import { ok, problem, unknown, type Finding } from '../finding.js';
import type { DeployedResource, RunningDeployment } from './running-deployment.js';

/** Examines a deployment as it runs: the account, each stack, services, alarms, keys, the trail, and whether it answers. */
export async function doctor(
  configuration: ResolvedConfiguration,
  app: SynthesizedApp,
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const identity = await running.identity();
  if (!identity.known) {
    return [
      problem('credentials', `no usable credentials (${identity.why})`, `Sign in to account ${configuration.account}.`),
    ];
  }
  if (identity.value.account !== configuration.account) {
    return [
      problem(
        'credentials',
        `the credentials are of account ${identity.value.account}, the deployment is in ${configuration.account}`,
        'Use credentials of its account.',
      ),
    ];
  }
  const stacks = await Promise.all(
    app.stacks.map((stack) => examineStack(stack.name, stack.terminationProtection, running)),
  );
  const resources = stacks.flatMap(({ resources: deployed }) => deployed);
  return [
    ok('credentials', `${identity.value.arn} is in account ${configuration.account}`),
    ...stacks.flatMap(({ findings }) => findings),
    ...(await examineServices(app, resources, running)),
    ...(await examineAlarms(resources, running)),
    ...(await examineKeys(resources, running)),
    ...(await examineTrails(resources, running)),
    ...(await examineHealth(configuration, running)),
  ];
}

interface ExaminedStack {
  readonly findings: readonly Finding[];
  readonly resources: readonly DeployedResource[];
}

async function examineStack(
  name: string,
  protectedByCode: boolean,
  running: RunningDeployment,
): Promise<ExaminedStack> {
  const check = 'stacks';
  const stack = await running.stack(name);
  if (!stack.known) {
    return {
      resources: [],
      findings: [unknown(check, `${name} could not be read (${stack.why})`, 'Allow cloudformation:DescribeStacks.')],
    };
  }
  if (stack.value === 'missing') {
    return { resources: [], findings: [problem(check, `${name} is not deployed`, 'Deploy it: npx cdk deploy.')] };
  }
  const { status, terminationProtected, updated } = stack.value;
  const findings: Finding[] = [
    /^(CREATE|UPDATE|IMPORT)_COMPLETE$/.test(status)
      ? ok(check, `${name} is ${status}${updated ? ` since ${updated.toISOString()}` : ''}`)
      : problem(
          check,
          `${name} is ${status}`,
          `Look at its events: aws cloudformation describe-stack-events --stack-name ${name}.`,
        ),
  ];
  if (protectedByCode && !terminationProtected) {
    findings.push(
      problem(check, `${name} is not protected from termination`, 'Somebody switched it off; deploy again.'),
    );
  }
  const resources = await running.resources(name);
  if (!resources.known) {
    findings.push(
      unknown(
        check,
        `the resources of ${name} could not be read (${resources.why})`,
        'Allow cloudformation:DescribeStackResources.',
      ),
    );
  }
  return { findings, resources: resources.known ? resources.value : [] };
}

async function examineServices(
  app: SynthesizedApp,
  resources: readonly DeployedResource[],
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const functions = new IntrinsicFunctions(app);
  const check = 'services';
  const services = resourcesOf(app, 'AWS::ECS::Service');
  return Promise.all(
    services.map(async ({ stack, logicalId, resource }) => {
      const deployed = resources.find((each) => each.logicalId === logicalId && each.type === 'AWS::ECS::Service');
      const cluster = functions.text(stack, resource.Properties?.['Cluster']);
      if (!deployed) return problem(check, `${logicalId} is not deployed`, `Deploy ${stack.name}.`);
      const answer = await running.service(cluster, deployed.physicalId);
      if (!answer.known)
        return unknown(check, `${logicalId} could not be read (${answer.why})`, 'Allow ecs:DescribeServices.');
      if (answer.value === 'missing')
        return problem(check, `${logicalId} is gone`, `Somebody deleted it; deploy ${stack.name} again.`);
      const { desired, running: tasks, rollout } = answer.value;
      if (rollout === 'FAILED') {
        return problem(
          check,
          `the last deployment of ${logicalId} failed and was rolled back`,
          'Read the events of the service and the logs of its tasks.',
        );
      }
      return tasks >= desired
        ? ok(
            check,
            `${logicalId} runs ${tasks} of ${desired} tasks${rollout === 'IN_PROGRESS' ? ', and is being rolled' : ''}`,
          )
        : problem(
            check,
            `${logicalId} runs ${tasks} of ${desired} tasks`,
            'Read the reasons of stopped tasks: aws ecs describe-tasks.',
          );
    }),
  );
}

async function examineAlarms(
  resources: readonly DeployedResource[],
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const check = 'alarms';
  const names = resources
    .filter(({ type }) => /^AWS::CloudWatch::(Composite)?Alarm$/.test(type))
    .map(({ physicalId }) => physicalId);
  if (names.length === 0) return [];
  const answer = await running.alarms(names);
  if (!answer.known)
    return [unknown(check, `they could not be read (${answer.why})`, 'Allow cloudwatch:DescribeAlarms.')];
  const of = (state: string) => names.filter((name) => answer.value.get(name) === state);
  const gone = names.filter((name) => !answer.value.has(name));
  return [
    ...of('ALARM').map((name) =>
      problem(check, `${name} is in alarm`, 'Follow its runbook: the link is in the description of the alarm.'),
    ),
    ...gone.map((name) => problem(check, `${name} is gone`, 'Somebody deleted it; deploy again.')),
    ok(check, `${of('OK').length} of ${names.length} are OK, ${of('INSUFFICIENT_DATA').length} have no data yet`),
  ];
}

async function examineKeys(
  resources: readonly DeployedResource[],
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const check = 'keys';
  const keys = resources.filter(({ type }) => type === 'AWS::KMS::Key');
  return Promise.all(
    keys.map(async ({ logicalId, physicalId }) => {
      const answer = await running.key(physicalId);
      if (!answer.known)
        return unknown(check, `${logicalId} could not be read (${answer.why})`, 'Allow kms:DescribeKey.');
      if (answer.value === 'missing')
        return problem(
          check,
          `${logicalId} (${physicalId}) is gone`,
          'Its databases cannot be read any more; restore from a backup under another key.',
        );
      const { state, rotates, spec } = answer.value;
      if (state !== 'Enabled') {
        return problem(
          check,
          `${logicalId} (${physicalId}) is ${state}`,
          'Enable it, or cancel its deletion; its databases come back by themselves.',
        );
      }
      return rotates === false && spec === 'SYMMETRIC_DEFAULT'
        ? problem(check, `${logicalId} (${physicalId}) does not rotate`, 'Somebody switched it off; deploy again.')
        : ok(check, `${logicalId} is enabled`);
    }),
  );
}

async function examineTrails(
  resources: readonly DeployedResource[],
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const check = 'trail';
  const trails = resources.filter(({ type }) => type === 'AWS::CloudTrail::Trail');
  return Promise.all(
    trails.map(async ({ physicalId }) => {
      const answer = await running.trail(physicalId);
      if (!answer.known)
        return unknown(check, `${physicalId} could not be read (${answer.why})`, 'Allow cloudtrail:GetTrailStatus.');
      if (answer.value === 'missing')
        return problem(check, `${physicalId} is gone`, 'Somebody deleted it; deploy again.');
      const { logging, deliveryError } = answer.value;
      if (!logging) return problem(check, `${physicalId} records nothing`, 'Start it: aws cloudtrail start-logging.');
      return deliveryError === undefined
        ? ok(check, `${physicalId} records`)
        : problem(
            check,
            `${physicalId} cannot deliver: ${deliveryError}`,
            'Look at the policies of its bucket and key.',
          );
    }),
  );
}

/** From where this runs a private deployment cannot always be reached: no answer is unknown, a wrong one is a problem. */
async function examineHealth(
  { domain }: ResolvedConfiguration,
  running: RunningDeployment,
): Promise<readonly Finding[]> {
  const check = 'health';
  const urls = [`https://api.${domain.name}/health`, `https://health.${domain.name}/health`];
  return Promise.all(
    urls.map(async (url) => {
      const answer = await running.health(url);
      if (!answer.known)
        return unknown(
          check,
          `${url} did not answer (${answer.why})`,
          'Try it from a network that reaches the load balancer.',
        );
      return answer.value === 200
        ? ok(check, `${url} answers`)
        : problem(
            check,
            `${url} answers ${answer.value}`,
            'Look at the health of the targets of the load balancer, then at the logs of the tasks.',
          );
    }),
  );
}
