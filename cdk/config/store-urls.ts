import type { ResolvedConfiguration } from './deployment-configuration.js';
import { DeploymentNames, storePrefixes } from './deployment-names.js';

/** The stores as both servers are told of them (docs/object-stores.md). The buckets' own encryption holds for every write. */
export function storeUrls(configuration: ResolvedConfiguration): {
  readonly data: string;
  readonly log: string;
  readonly control: string;
  readonly audit: string;
} {
  const { region, account } = configuration;
  const names = new DeploymentNames(configuration);
  const general = (bucket: string, prefix: string): string =>
    `s3://${bucket}/${prefix}?region=${region}&expectedBucketOwner=${account}`;
  const zoneIds = names.directoryBucketZoneIds;
  return {
    data: general(names.bucket('data'), storePrefixes.data),
    log:
      zoneIds.length === 0
        ? general(names.bucket('log'), storePrefixes.log)
        : zoneIds
            .map((zoneId) => `s3://${names.directoryBucket(zoneId)}/${storePrefixes.log}?region=${region}`)
            .join(' '),
    control: general(names.bucket('control'), storePrefixes.control),
    audit: general(names.bucket('audit'), storePrefixes.audit),
  };
}
