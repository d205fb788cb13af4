import type { SynthesizedApp } from '../compliance/assembly/synthesized-app.js';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { AwsAccount } from './aws-account.js';
import { checkCredentials } from './checks/credentials.js';
import { checkDomain } from './checks/domain.js';
import { checkImages } from './checks/images.js';
import { checkKeys } from './checks/keys.js';
import { checkNames } from './checks/names.js';
import { checkNetwork } from './checks/network.js';
import { checkPermissions } from './checks/permissions.js';
import { checkQuotas } from './checks/quotas.js';
import { checkZones } from './checks/zones.js';
import type { Finding } from './finding.js';

/**
 * Everything that can be known before money is spent. It changes nothing. With credentials of no account, or of another one,
 * nothing else is asked: it would be about the wrong account.
 */
export async function preflight(
  configuration: ResolvedConfiguration,
  app: SynthesizedApp,
  aws: AwsAccount,
  now: () => Date,
): Promise<readonly Finding[]> {
  const credentials = await checkCredentials(configuration, aws);
  if (credentials.outcome !== 'ok') return [credentials];
  const findings = await Promise.all([
    checkZones(configuration, aws),
    checkQuotas(configuration, app, aws),
    checkDomain(configuration, aws, now),
    checkKeys(configuration, aws),
    checkImages(configuration, aws),
    checkNetwork(configuration, aws),
    checkNames(app, aws),
    checkPermissions(configuration, app, aws),
  ]);
  return [credentials, ...findings.flat()];
}
