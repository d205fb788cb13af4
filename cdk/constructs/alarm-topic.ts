import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSubscription, CfnTopic, CfnTopicPolicy } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';

/** Where everything that needs a person goes: alarms, rules about keys and roles, instances that do not start. */
export class AlarmTopic extends Construct {
  constructor(scope: Construct, id: string, context: DeploymentContext, auditKeyArn: string) {
    super(scope, id);
    const { names, configuration } = context;
    const { account, alarms } = configuration;
    const topic = new CfnTopic(this, 'Topic', {
      topicName: names.alarmTopic,
      displayName: `Turso BYOC ${configuration.name}`,
      kmsMasterKeyId: auditKeyArn,
    });
    for (const [index, endpoint] of alarms.emailAddresses.entries()) {
      new CfnSubscription(this, `Email${index}`, { topicArn: topic.ref, protocol: 'email', endpoint });
    }
    new CfnTopicPolicy(this, 'Policy', {
      topics: [topic.ref],
      policyDocument: new PolicyDocument({
        statements: [
          new PolicyStatement({
            sid: 'DenyInsecureTransport',
            effect: Effect.DENY,
            principals: [new AnyPrincipal()],
            actions: ['sns:Publish'],
            resources: [topic.ref],
            conditions: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
          new PolicyStatement({
            sid: 'Alarms',
            principals: ['cloudwatch', 'autoscaling'].map((of) => new ServicePrincipal(`${of}.amazonaws.com`)),
            actions: ['sns:Publish'],
            resources: [topic.ref],
            conditions: { StringEquals: { 'aws:SourceAccount': account } },
          }),
          // Requests of EventBridge carry nothing that a condition could look at: with one, no event ever arrives.
          new PolicyStatement({
            sid: 'Events',
            principals: [new ServicePrincipal('events.amazonaws.com')],
            actions: ['sns:Publish'],
            resources: [topic.ref],
          }),
        ],
      }),
    });
  }
}
