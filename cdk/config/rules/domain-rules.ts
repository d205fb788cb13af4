import { accountOf, regionOf } from '../arn.js';
import { when, type Rule } from '../rule.js';

export const domainRules: readonly Rule[] = [
  {
    code: 'CERTIFICATE_ELSEWHERE',
    demands: 'An imported certificate is one of this account and region.',
    broken: ({ domain: { certificate }, account, region }) =>
      when(
        certificate.kind === 'import' &&
          (accountOf(certificate.arn) !== account || regionOf(certificate.arn) !== region),
        'domain.certificate.arn',
        `a load balancer takes certificates of its own account and region only; import the certificate into account ${account}, region ${region}`,
      ),
  },
  {
    code: 'CERTIFICATE_WITHOUT_PUBLIC_ZONE',
    demands: 'A certificate is made only where its record can be put into a public hosted zone.',
    broken: ({ domain: { certificate, dns } }) =>
      when(
        certificate.kind === 'create' && !(dns.kind === 'hosted-zone' && dns.visibility === 'public'),
        'domain.certificate.kind',
        'AWS issues a certificate after it found a record in a public hosted zone; set dns to a public hosted zone, or import a certificate (of AWS Private CA, for example)',
      ),
  },
  {
    code: 'DOMAIN_OUTSIDE_ZONE',
    demands: 'The domain lies in the hosted zone.',
    broken: ({ domain: { name, dns } }) =>
      when(
        dns.kind === 'hosted-zone' && name !== dns.zoneName && !name.endsWith(`.${dns.zoneName}`),
        'domain.name',
        `${name} is not in the hosted zone ${dns.kind === 'hosted-zone' ? dns.zoneName : ''}; choose a name in it, or the zone of the name`,
      ),
  },
  {
    code: 'DOMAIN_TOO_LONG',
    demands: 'The domain leaves room for the longest first label, 63 characters, in a host name of 253.',
    broken: ({ domain: { name } }) =>
      when(
        name.length > 189 || name.split('.').some((label) => label.length > 63),
        'domain.name',
        `${name.length} characters, or a label above 63, leave no room for the names of databases; choose a domain of 189 characters at the most`,
      ),
  },
  {
    code: 'DNS_OF_PUBLIC_EXPOSURE',
    demands: 'A deployment that the internet reaches has no private hosted zone.',
    broken: ({ exposure, domain: { dns } }) =>
      when(
        exposure.kind === 'public' &&
          (dns.kind === 'create-private' || (dns.kind === 'hosted-zone' && dns.visibility === 'private')),
        'domain.dns',
        'clients on the internet do not see a private hosted zone; name a public one, or set dns to none and make the records elsewhere',
      ),
  },
];
