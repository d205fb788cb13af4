/** Lists of places that requests for databases may come from, as the Platform API has them. */
import { faultOfAddresses, faultOfVpcEndpoints } from '@turso-byoc/data-plane/auth/client-origin.js';
import type { AllowedOrigins } from '../catalog/access-rules.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { text } from './schemas.js';

const texts = { type: ['array', 'null'], items: text } as const;
/** Fields of a body. */
export const originLists = { allowed_ips: texts, allowed_aws_vpc_ids: texts };

export interface OriginLists {
  readonly allowed_ips?: readonly string[] | null;
  readonly allowed_aws_vpc_ids?: readonly string[] | null;
}

/** What a change leaves: a list that is not given stays, null or an empty one ends it. Throws `ALLOW_LIST_INVALID`. */
export function parseAllowedOrigins(lists: OriginLists, now: AllowedOrigins): AllowedOrigins {
  const { allowed_ips: ips, allowed_aws_vpc_ids: vpcEndpoints } = lists;
  const next = {
    ips: ips === undefined ? now.ips : [...new Set(ips ?? [])],
    vpcEndpoints: vpcEndpoints === undefined ? now.vpcEndpoints : [...new Set(vpcEndpoints ?? [])],
  };
  const faults = [
    ['allowed_ips', faultOfAddresses(next.ips)],
    ['allowed_aws_vpc_ids', faultOfVpcEndpoints(next.vpcEndpoints)],
  ] as const;
  for (const [name, fault] of faults) {
    if (fault !== undefined) throw new ControlPlaneError('ALLOW_LIST_INVALID', `"${name}": ${fault}`);
  }
  return next;
}

export function toOriginLists({ ips, vpcEndpoints }: AllowedOrigins) {
  return { allowed_ips: [...ips], allowed_aws_vpc_ids: [...vpcEndpoints] };
}
