import { known } from '../../preflight/answer.js';
import type { AwsAccount } from '../../preflight/aws-account.js';

/** An account in which everything is as the configuration `fixture` below wants it; `change` says what is otherwise. */
export function scriptedAccount(change: Partial<AwsAccount> = {}): AwsAccount {
  return {
    identity: async () => known({ account: '111122223333', arn: 'arn:aws:sts::111122223333:assumed-role/deployer/me' }),
    zones: async () =>
      known([
        { name: 'us-east-1a', id: 'use1-az4', available: true },
        { name: 'us-east-1b', id: 'use1-az5', available: true },
        { name: 'us-east-1c', id: 'use1-az6', available: true },
      ]),
    quota: async () => known(1000),
    vpcCount: async () => known(1),
    certificate: async () =>
      known({ status: 'ISSUED', names: ['db.example.com', '*.db.example.com'], expires: new Date('2027-06-01') }),
    hostedZone: async () => known({ name: 'example.com', visibility: 'public' as const }),
    key: async () => known({ state: 'Enabled', usage: 'ENCRYPT_DECRYPT', spec: 'SYMMETRIC_DEFAULT', rotates: true }),
    image: async () => known('present' as const),
    bucket: async () => known('free' as const),
    subnets: async () => known([{ id: 'subnet-00000001', zone: 'us-east-1a', freeAddresses: 200 }]),
    simulate: async (_, actions) => known(new Map(actions.map((action) => [action, 'allowed' as const]))),
    dryRunOfNetwork: async () => known('allowed' as const),
    managedPolicy: async () => known('present' as const),
    ...change,
  };
}
