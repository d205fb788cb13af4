import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { policyInventoryOf, type PolicyInventory } from '../../compliance/iam/policy-inventory.js';
import { removeSynthesized, synthesizedExample } from '../support/synthesized-example.js';
import { DeploymentArns } from './deployment-arns.js';
import { expectations } from './expectations.js';
import { verdictOn } from './policy-simulator.js';

afterAll(removeSynthesized);

const { configuration, app } = synthesizedExample('production');
const inventory = policyInventoryOf(app, new IntrinsicFunctions(app));
const table = expectations(new DeploymentArns(configuration, app));

describe('who may do what in the production example', () => {
  it('is said by a table that is long enough, and says nothing twice', () => {
    expect(table.length).toBeGreaterThanOrEqual(60);
    expect(new Set(table.map(({ says }) => says)).size).toBe(table.length);
    expect(table.filter(({ expected }) => expected === 'allowed').length).toBeGreaterThan(20);
  });

  it.each(table.map((expectation) => [expectation.says, expectation] as const))(
    '%s',
    async (_, { request, expected }) => {
      expect(await verdictOn(inventory, request)).toBe(expected);
    },
  );
});

describe('the proof itself', () => {
  /** The verdicts that change when a part of the policies is taken away: a proof that notices nothing proves nothing. */
  async function changedBy(change: (before: PolicyInventory) => PolicyInventory): Promise<readonly string[]> {
    const changed = change(inventory);
    const verdicts = await Promise.all(
      table.map(async ({ request, expected }) => (await verdictOn(changed, request)) === expected),
    );
    return table.filter((_, index) => !verdicts[index]).map(({ says }) => says);
  }

  it('notices when bucket policies are gone', async () => {
    const without = await changedBy((before) => ({
      ...before,
      resourcePolicies: before.resourcePolicies.filter(({ type }) => !/^AWS::S3/.test(type)),
    }));
    expect(without).toEqual(expect.arrayContaining([expect.stringContaining('an administrator may not s3:GetObject')]));
    expect(without).toEqual(expect.arrayContaining([expect.stringContaining('over plain HTTP')]));
    expect(without).toEqual(expect.arrayContaining([expect.stringContaining('under another key')]));
  });

  it('notices when key policies leave everything to IAM', async () => {
    const open = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow' as const,
          Principal: { AWS: [`arn:aws:iam::${configuration.account}:root`] },
          Action: ['kms:*'],
          Resource: ['*'],
        },
      ],
    };
    const wide = await changedBy((before) => ({
      ...before,
      resourcePolicies: before.resourcePolicies.map((policy) =>
        policy.type === 'AWS::KMS::Key' ? { ...policy, document: open } : policy,
      ),
    }));
    expect(wide).toEqual(expect.arrayContaining([expect.stringContaining('an administrator may not kms:Decrypt')]));
    expect(wide).toEqual(
      expect.arrayContaining([expect.stringContaining('the key administrator may not kms:Decrypt')]),
    );
  });

  it('notices when a role gets every right: boundary and resource policies still hold what they hold', async () => {
    const anything = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow' as const, Action: ['*'], Resource: ['*'] }],
    };
    const grown = await changedBy((before) => ({
      ...before,
      principals: before.principals.map((principal) => ({
        ...principal,
        identityPolicies: [{ name: 'anything', document: anything }],
      })),
    }));
    const still = (part: string) => grown.filter((says) => says.includes(part));
    expect(grown.length).toBeGreaterThan(0);
    expect(still('the control plane may not s3:GetObject s3:::production-turso-data')).toEqual([]);
    // The policy of the log's key cannot name who calls through S3 Express; the policies of its buckets do.
    const logKey = new DeploymentArns(configuration, app).key('log').replace(/^arn:aws:/, '');
    expect(still('the control plane may not kms:Decrypt')).toEqual([`the control plane may not kms:Decrypt ${logKey}`]);
    expect(still('the control plane may not s3express:CreateSession')).toEqual([]);
    expect(still('iam:')).toEqual([]);
    expect(still('sts:AssumeRole')).toEqual([]);
  });

  it('refuses to judge by policies that it cannot see', async () => {
    const request = table[0]!.request;
    const blind = {
      ...inventory,
      principals: inventory.principals.map((principal) => ({
        ...principal,
        foreignPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess'],
      })),
    };
    await expect(verdictOn(blind, request)).rejects.toThrow('has policies that are in no template');
  });
});
