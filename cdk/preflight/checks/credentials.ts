import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, type Finding } from '../finding.js';

const check = 'credentials';

/** Whether the credentials at hand are of the account of the configuration. Without an answer nothing else can be asked. */
export async function checkCredentials(configuration: ResolvedConfiguration, aws: AwsAccount): Promise<Finding> {
  const identity = await aws.identity();
  if (!identity.known) {
    return problem(
      check,
      `no usable credentials (${identity.why})`,
      `Sign in to account ${configuration.account}, e.g. aws sso login, and set AWS_PROFILE.`,
    );
  }
  const { account, arn } = identity.value;
  return account === configuration.account
    ? ok(check, `${arn} is in account ${account}`)
    : problem(
        check,
        `${arn} is in account ${account}, the configuration is for ${configuration.account}`,
        'Use credentials of the account in the configuration; nothing is ever deployed into another one.',
      );
}
