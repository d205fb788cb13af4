import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

const thirtyDaysMs = 30 * 86_400_000;

/** Whether the certificate covers the domain and the hosted zone is the one that was named. */
export async function checkDomain(
  { domain }: ResolvedConfiguration,
  aws: AwsAccount,
  now: () => Date,
): Promise<readonly Finding[]> {
  return [
    ...(domain.certificate.kind === 'import'
      ? [await certificateFinding(domain.name, domain.certificate.arn, aws, now)]
      : []),
    ...(domain.dns.kind === 'hosted-zone' ? [await zoneFinding(domain.dns, aws)] : []),
  ];
}

async function certificateFinding(name: string, arn: string, aws: AwsAccount, now: () => Date): Promise<Finding> {
  const check = 'certificate';
  const answer = await aws.certificate(arn);
  if (!answer.known)
    return unknown(check, `${arn} could not be read (${answer.why})`, 'Allow acm:DescribeCertificate.');
  if (answer.value === 'missing') {
    return problem(check, `there is no ${arn} in this region`, 'Import or request it in the region of the deployment.');
  }
  const { status, names, expires } = answer.value;
  if (status !== 'ISSUED') {
    return problem(check, `${arn} is ${status}`, 'Finish its validation, or import one that is issued.');
  }
  const missing = [name, `*.${name}`].filter((wanted) => !names.includes(wanted));
  if (missing.length > 0) {
    return problem(
      check,
      `it does not cover ${missing.join(' and ')}, only ${names.join(', ')}`,
      `Use a certificate for ${name} and *.${name}.`,
    );
  }
  if (expires && expires.getTime() - now().getTime() < thirtyDaysMs) {
    return problem(
      check,
      `it expires on ${expires.toISOString().slice(0, 10)}`,
      'Renew it first; an imported certificate does not renew itself.',
    );
  }
  return ok(check, `covers ${name} and *.${name}`);
}

async function zoneFinding(
  dns: { readonly hostedZoneId: string; readonly zoneName: string; readonly visibility: 'public' | 'private' },
  aws: AwsAccount,
): Promise<Finding> {
  const check = 'hosted zone';
  const answer = await aws.hostedZone(dns.hostedZoneId);
  if (!answer.known) {
    return unknown(check, `${dns.hostedZoneId} could not be read (${answer.why})`, 'Allow route53:GetHostedZone.');
  }
  if (answer.value === 'missing') {
    return problem(
      check,
      `there is no hosted zone ${dns.hostedZoneId} in this account`,
      'Write the id that Route 53 shows for it.',
    );
  }
  const { name, visibility } = answer.value;
  if (name !== dns.zoneName || visibility !== dns.visibility) {
    return problem(
      check,
      `${dns.hostedZoneId} is the ${visibility} zone ${name}, not the ${dns.visibility} zone ${dns.zoneName}`,
      'Correct zoneName, visibility or hostedZoneId in domain.dns.',
    );
  }
  return ok(check, `${dns.hostedZoneId} is the ${visibility} zone ${name}`);
}
