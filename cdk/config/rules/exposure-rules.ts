import { isPrivateBlock, parseIpv4Block } from '../ipv4-block.js';
import { when, type Rule } from '../rule.js';

export const exposureRules: readonly Rule[] = [
  {
    code: 'EXPOSURE_AIR_GAPPED',
    demands: 'An air-gapped deployment is not public.',
    broken: ({ airGapped, exposure }) =>
      when(
        airGapped && exposure.kind === 'public',
        'exposure.kind',
        'an air-gapped deployment cannot be reached from the internet; choose private or privatelink, or set airGapped to false',
      ),
  },
  {
    code: 'EXPOSURE_OPEN',
    demands: 'A private deployment lets in private addresses only.',
    broken: ({ exposure }) =>
      exposure.kind !== 'private'
        ? []
        : exposure.allowedCidrs.flatMap((cidr, index) => {
            const block = parseIpv4Block(cidr);
            return when(
              block !== undefined && !isPrivateBlock(block),
              `exposure.allowedCidrs[${index}]`,
              `${cidr} has addresses of the internet; name private blocks, or choose exposure public`,
            );
          }),
  },
  {
    code: 'CLIENT_ADDRESSES',
    demands: 'The addresses of clients are blocks of IPv4 addresses.',
    broken: ({ exposure }) =>
      exposure.kind === 'privatelink'
        ? []
        : exposure.allowedCidrs.flatMap((cidr, index) =>
            when(
              parseIpv4Block(cidr) === undefined,
              `exposure.allowedCidrs[${index}]`,
              `${cidr} is no block of addresses; write one such as 10.0.0.0/8`,
            ),
          ),
  },
  {
    code: 'PRIVATELINK_WITHOUT_PRINCIPALS',
    demands: 'A PrivateLink service names who may make an endpoint.',
    broken: ({ exposure }) =>
      when(
        exposure.kind === 'privatelink' && exposure.allowedPrincipalArns.length === 0,
        'exposure.allowedPrincipalArns',
        'nobody may make an endpoint; name accounts or roles, such as arn:aws:iam::111122223333:root',
      ),
  },
];
