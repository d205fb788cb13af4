import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

/** Whether imported keys can wrap data keys. Whether the data nodes may use them is said by their policies, which only they can try. */
export async function checkKeys({ keys }: ResolvedConfiguration, aws: AwsAccount): Promise<readonly Finding[]> {
  const configured = [keys.databases, ...keys.groups.map(({ key }) => key)];
  const arns = configured.flatMap((key) => (key.kind === 'import' ? [key.arn] : []));
  return Promise.all([...new Set(arns)].map((arn) => keyFinding(arn, aws)));
}

async function keyFinding(arn: string, aws: AwsAccount): Promise<Finding> {
  const check = 'keys';
  const answer = await aws.key(arn);
  if (!answer.known) {
    return unknown(
      check,
      `${arn} could not be read (${answer.why})`,
      'Allow kms:DescribeKey, in the key policy too when it is of another account.',
    );
  }
  if (answer.value === 'missing')
    return problem(check, `there is no ${arn}`, 'Write the ARN of a key that exists in this region.');
  const { state, usage, spec, rotates } = answer.value;
  if (usage !== 'ENCRYPT_DECRYPT' || spec !== 'SYMMETRIC_DEFAULT') {
    return problem(check, `${arn} is a key of kind ${spec} for ${usage}`, 'Use a symmetric encryption key.');
  }
  if (state !== 'Enabled')
    return problem(check, `${arn} is ${state}`, 'Enable it, or cancel its deletion; see docs/keys.md.');
  if (rotates === false) return ok(check, `${arn} can be used; it does not rotate by itself`);
  return ok(check, `${arn} can be used`);
}
