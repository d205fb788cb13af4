/**
 * Answers "may this principal do that?" for the policies of a synthesized deployment, by a simulator that is not the real
 * evaluator but follows its documented rules. The simulator is under the AGPL: it is a tool of the tests and is never shipped.
 */
import { runSimulation, type Simulation } from '@cloud-copilot/iam-simulate';
import type { Conditions, PolicyDocument, Principals, Statement } from '../../compliance/iam/policy-document.js';
import type { PolicyInventory } from '../../compliance/iam/policy-inventory.js';

export interface AccessRequest {
  /** ARN, or the name of a service of AWS. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  /** Account of the resource. */
  readonly resourceAccount: string;
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  /** ARN of the VPC endpoint that the request passes; its policy then limits it, too. */
  readonly endpoint?: string;
  /** Policies of a principal that the deployment does not define. */
  readonly policies?: readonly PolicyDocument[];
}

export type Verdict = 'allowed' | 'denied';

const everything: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['*'], Resource: ['*'] }],
};
const organization = [{ orgIdentifier: 'root', policies: [{ name: 'everything', policy: everything }] }];

/**
 * The simulator takes no key with a variable part after a colon, which those of the encryption context have, and throws them away.
 * It takes those after a slash: here each has another name, the same in every policy and in the request.
 */
function simulatedKey(key: string): string {
  return key.replace(/^kms:EncryptionContext:/i, 'aws:PrincipalTag/kms-encryption-context-');
}

function simulatedConditions(conditions: Conditions): Conditions {
  return Object.fromEntries(
    Object.entries(conditions).map(([operator, keys]) => [
      operator,
      Object.fromEntries(Object.entries(keys).map(([key, values]) => [simulatedKey(key), values])),
    ]),
  );
}

/** In the policy of an endpoint it wants everybody written in one of the two ways that mean the same. */
function simulatedPrincipal(principal: Principals): Principals {
  return typeof principal === 'object' && Object.keys(principal).join() === 'AWS' && principal['AWS']?.join() === '*'
    ? '*'
    : principal;
}

function simulatedPolicy({ Version, Statement: statements }: PolicyDocument): PolicyDocument {
  return {
    Version,
    Statement: statements.map((statement): Statement => ({
      ...statement,
      ...(statement.Condition && { Condition: simulatedConditions(statement.Condition) }),
      ...(statement.Principal && { Principal: simulatedPrincipal(statement.Principal) }),
    })),
  };
}

/** @throws Error when the simulator refuses the request, e.g. because the action does not exist or takes no such resource. */
export async function verdictOn(inventory: PolicyInventory, request: AccessRequest): Promise<Verdict> {
  const { principal, action, resource, resourceAccount, context = {}, endpoint } = request;
  const known = inventory.principals.find(({ arn }) => arn === principal);
  if (known?.boundary && !known.boundary.document) throw new Error(`the boundary of ${known.name} is in no template`);
  if (known && known.foreignPolicyArns.length > 0)
    throw new Error(`${known.name} has policies that are in no template`);
  const account = /^arn:[^:]+:[^:]+::(\d{12}):/.exec(principal)?.[1];
  const isService = account === undefined;
  const carried = inventory.resourcePolicies.find(
    ({ type, resourceArn }) =>
      type !== 'AWS::EC2::VPCEndpoint' && (resource === resourceArn || resource.startsWith(`${resourceArn}/`)),
  );
  // Who may become a role is said by its trust policy, for no other action.
  const become =
    action === 'sts:AssumeRole' ? inventory.principals.find(({ arn }) => arn === resource)?.trust : undefined;
  const resourcePolicy = carried?.document ?? become;
  const endpointPolicy = inventory.resourcePolicies.find(({ resourceArn }) => resourceArn === endpoint);
  if (endpoint !== undefined && !endpointPolicy) throw new Error(`${endpoint} has no policy`);
  const identities = known
    ? known.identityPolicies
    : (request.policies ?? []).map((document, index) => ({ name: `policy ${index}`, document }));

  const simulation: Simulation = {
    request: {
      principal,
      action,
      resource: { resource, accountId: resourceAccount },
      contextVariables: {
        'aws:SecureTransport': 'true',
        'aws:PrincipalIsAWSService': isService ? 'true' : 'false',
        ...(!isService && { 'aws:PrincipalArn': principal, 'aws:PrincipalAccount': account }),
        'aws:ResourceAccount': resourceAccount,
        ...Object.fromEntries(
          Object.entries(context).map(([key, value]) => [
            simulatedKey(key),
            typeof value === 'string' ? value : [...value],
          ]),
        ),
      },
    },
    identityPolicies: identities.map(({ name, document }) => ({ name, policy: simulatedPolicy(document) })),
    serviceControlPolicies: organization,
    resourceControlPolicies: [],
    ...(resourcePolicy && { resourcePolicy: simulatedPolicy(resourcePolicy) }),
    ...(known?.boundary?.document && {
      permissionBoundaryPolicies: [{ name: 'boundary', policy: simulatedPolicy(known.boundary.document) }],
    }),
    ...(endpointPolicy && {
      vpcEndpointPolicies: [{ name: 'endpoint', policy: simulatedPolicy(endpointPolicy.document) }],
    }),
  };
  const result = await runSimulation(simulation, {});
  if (result.resultType === 'error') {
    throw new Error(`${principal} ${action} ${resource}: ${JSON.stringify(result.errors)}`);
  }
  const ignored = result.resultType === 'single' ? (result.result.ignoredContextKeys ?? []) : [];
  const unheard = ignored.filter((key) => Object.keys(context).map(simulatedKey).includes(key));
  if (unheard.length > 0) throw new Error(`${action}: the simulator does not take ${unheard.join(', ')} into account`);
  return result.overallResult === 'Allowed' ? 'allowed' : 'denied';
}
