import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import type { SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import { installActionsOf, installPolicies } from '../../compliance/iam/install-policy.js';
import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

const check = 'permissions';

/**
 * Asks IAM's simulator about every action that CloudFormation will call, and EC2 for a dry run. Both see identity policies only
 * in part (the simulator knows no policies of the organization), so that a "yes" is no promise; a "no" is one.
 */
export async function checkPermissions(
  configuration: ResolvedConfiguration,
  app: SynthesizedApp,
  aws: AwsAccount,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const identity = await aws.identity();
  const actions = installActionsOf(installPolicies(app, new IntrinsicFunctions(app)));
  const principal = identity.known ? principalOf(identity.value.arn) : undefined;
  const answer =
    principal === undefined
      ? { known: false as const, why: 'the credentials are of no role or user' }
      : await aws.simulate(principal, actions);
  if (!answer.known) {
    findings.push(
      unknown(
        check,
        `${actions.length} actions could not be simulated (${answer.why})`,
        'Allow iam:SimulatePrincipalPolicy, or go on: this is no refusal.',
      ),
    );
  } else {
    const denied = actions.filter((action) => answer.value.get(action) === 'denied');
    const unheard = actions.filter((action) => !answer.value.has(action));
    if (denied.length > 0) {
      findings.push(
        problem(
          check,
          `${denied.length} of ${actions.length} actions are denied: ${denied.join(', ')}`,
          'Attach the policies that npm run install-policy prints to the role that deploys.',
        ),
      );
    }
    if (unheard.length > 0) {
      findings.push(
        unknown(check, `the simulator said nothing about ${unheard.join(', ')}`, 'Go on: this is no refusal.'),
      );
    }
    if (denied.length + unheard.length === 0) findings.push(ok(check, `all ${actions.length} actions are allowed`));
  }
  if (configuration.network.kind === 'create') findings.push(await dryRun(aws));
  if (configuration.permissionsBoundary.kind === 'import') {
    findings.push(await boundary(configuration.permissionsBoundary.policyArn, aws));
  }
  return findings;
}

async function dryRun(aws: AwsAccount): Promise<Finding> {
  const answer = await aws.dryRunOfNetwork();
  if (!answer.known)
    return unknown(check, `the dry run of ec2:CreateVpc gave no answer (${answer.why})`, 'Go on: this is no refusal.');
  return answer.value === 'allowed'
    ? ok(check, 'EC2 would create a network')
    : problem(
        check,
        'EC2 refuses to create a network',
        'Allow ec2:CreateVpc; a policy of the organization may deny it.',
      );
}

async function boundary(arn: string, aws: AwsAccount): Promise<Finding> {
  const answer = await aws.managedPolicy(arn);
  if (!answer.known)
    return unknown(check, `the boundary ${arn} could not be looked up (${answer.why})`, 'Allow iam:GetPolicy.');
  return answer.value === 'present'
    ? ok(check, `the boundary ${arn} is there`)
    : problem(check, `there is no policy ${arn}`, 'Create the boundary first, or use permissionsBoundary.kind create.');
}

/** The simulator takes roles, not their sessions. The path of a role is not in the ARN of its session. */
function principalOf(arn: string): string | undefined {
  const session = /^arn:([^:]+):sts::(\d{12}):assumed-role\/([^/]+)\//.exec(arn);
  if (session) return `arn:${session[1] ?? ''}:iam::${session[2] ?? ''}:role/${session[3] ?? ''}`;
  return /:iam::\d{12}:(user|role)\//.test(arn) ? arn : undefined;
}
