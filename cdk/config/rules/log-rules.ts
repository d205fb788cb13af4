import { partitionOf } from '../partition.js';
import { when, type Rule } from '../rule.js';

export const logRules: readonly Rule[] = [
  {
    code: 'LOG_QUORUM_NEEDS_THREE_ZONES',
    demands: 'A log in three zones has exactly three zones.',
    broken: ({ log, zones }) =>
      when(
        log.kind === 'express-quorum' && zones.length !== 3,
        'log.kind',
        `express-quorum keeps the log in three zones and there are ${zones.length}; name exactly three zones that have S3 Express, or choose express or standard`,
      ),
  },
  {
    code: 'LOG_ZONE_UNKNOWN',
    demands: 'The zone of a log in one zone is one of the zones.',
    broken: ({ log, zones }) =>
      when(
        log.kind === 'express' && zones.every(({ id }) => id !== log.zoneId),
        'log.zoneId',
        `${log.kind === 'express' ? log.zoneId : ''} is the id of none of the zones; choose one of ${zones.map(({ id }) => id).join(', ')}`,
      ),
  },
  {
    code: 'LOG_EXPRESS_ELSEWHERE',
    demands: 'A log in directory buckets is in a region of the partition aws: GovCloud and China have no S3 Express.',
    broken: ({ log, region }) =>
      when(
        log.kind !== 'standard' && partitionOf(region) !== 'aws',
        'log.kind',
        `${region} has no S3 Express One Zone; choose standard`,
      ),
  },
];
