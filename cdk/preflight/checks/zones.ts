import type { ResolvedConfiguration, ZoneConfiguration } from '../../config/deployment-configuration.js';
import type { AwsAccount } from '../aws-account.js';
import { expressZones, expressZonesAsOf } from '../express-zones.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

const check = 'zones';

/** Whether names and ids of the zones belong together in this account, and S3 Express is where the log wants it. */
export async function checkZones(configuration: ResolvedConfiguration, aws: AwsAccount): Promise<readonly Finding[]> {
  const answer = await aws.zones();
  const named = configuration.zones.map(({ name, id }): Finding => {
    if (!answer.known) {
      return unknown(check, `${name} could not be looked up (${answer.why})`, 'Allow ec2:DescribeAvailabilityZones.');
    }
    const zone = answer.value.find((candidate) => candidate.name === name);
    if (!zone) {
      const names = answer.value.map((candidate) => `${candidate.name} (${candidate.id})`).join(', ');
      return problem(check, `this account has no zone ${name} in ${configuration.region}`, `Choose among ${names}.`);
    }
    if (zone.id !== id) {
      return problem(check, `${name} is ${zone.id} in this account, not ${id}`, `Write id: '${zone.id}' for ${name}.`);
    }
    return zone.available
      ? ok(check, `${name} is ${id}`)
      : problem(check, `${name} is not available to this account`, 'Opt in to the zone, or choose another one.');
  });
  return [...named, ...logZones(configuration).map((zone) => expressFinding(configuration.region, zone))];
}

function logZones({ log, zones }: ResolvedConfiguration): readonly ZoneConfiguration[] {
  switch (log.kind) {
    case 'standard':
      return [];
    case 'express':
      return zones.filter(({ id }) => id === log.zoneId);
    case 'express-quorum':
      return zones;
  }
}

function expressFinding(region: string, { name, id }: ZoneConfiguration): Finding {
  const offered = expressZones[region];
  if (offered?.includes(id)) return ok('S3 Express', `${name} (${id}) offers it`);
  const look = 'Look at "S3 Express One Zone Availability Zones and Regions" in the user guide of S3';
  return offered === undefined
    ? unknown('S3 Express', `it is not known whether ${region} offers it`, `${look}.`)
    : unknown(
        'S3 Express',
        `${name} (${id}) was not among its zones as of ${expressZonesAsOf} (${offered.join(', ')})`,
        `${look}, choose among those, or use log.kind standard.`,
      );
}
