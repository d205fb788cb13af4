import { Stack } from 'aws-cdk-lib';
import { CfnTrail } from 'aws-cdk-lib/aws-cloudtrail';
import { CfnConfigurationRecorder, CfnConformancePack, CfnDeliveryChannel } from 'aws-cdk-lib/aws-config';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { encryptedLogGroup } from '../constructs/log-group.js';
import { processRole } from '../constructs/process-role.js';

/** What auditors read: every management event and every access to an object, and AWS Config's continuous checks. */
export class ComplianceStack extends Stack {
  constructor(
    scope: Construct,
    private readonly context: DeploymentContext,
    private readonly auditKeyArn: string,
  ) {
    super(scope, 'compliance', stackProps(context, 'compliance'));
    const { compliance } = context.configuration;
    if (compliance.trail === 'create') this.trail();
    const recorder = compliance.configRecorder === 'create' ? this.recorder() : undefined;
    for (const { name, template } of compliance.conformancePacks) {
      const pack = new CfnConformancePack(this, `Pack-${name}`, {
        conformancePackName: `${context.names.prefix}-${name}`,
        ...(template.startsWith('s3://')
          ? { templateS3Uri: template }
          : { templateSsmDocumentDetails: { documentName: template } }),
      });
      if (recorder !== undefined) pack.addResourceDependency(recorder);
    }
  }

  private trail(): void {
    const { context, auditKeyArn } = this;
    const { names, configuration } = context;
    const { account, region } = configuration;
    const group = encryptedLogGroup(this, 'TrailLog', { context, keyArn: auditKeyArn, of: 'trail' });
    const groupArn = `arn:${names.partition}:logs:${region}:${account}:log-group:${names.logGroup('trail')}`;
    const role = processRole(this, context, 'trail', {
      description: 'Writes the trail into its log group',
      assumedBy: new ServicePrincipal('cloudtrail.amazonaws.com').withConditions({
        StringEquals: { 'aws:SourceArn': names.trailArn },
      }),
      statements: [
        new PolicyStatement({
          sid: 'Write',
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [`${groupArn}:log-stream:${account}_CloudTrail_${region}*`],
        }),
      ],
    });
    const trail = new CfnTrail(this, 'Trail', {
      trailName: names.trail,
      isLogging: true,
      isMultiRegionTrail: true,
      includeGlobalServiceEvents: true,
      enableLogFileValidation: true,
      kmsKeyId: auditKeyArn,
      s3BucketName: names.bucket('audit'),
      cloudWatchLogsLogGroupArn: `${groupArn}:*`,
      cloudWatchLogsRoleArn: role.roleArn,
      advancedEventSelectors: this.selectors(),
    });
    trail.addResourceDependency(group);
    trail.node.addDependency(role);
  }

  /** Every management event, those of KMS with them, and every access to an object of the deployment's buckets. */
  private selectors(): CfnTrail.AdvancedEventSelectorProperty[] {
    const { names } = this.context;
    const zoneIds = names.directoryBucketZoneIds;
    const data = (name: string, type: string, arns: readonly string[]): CfnTrail.AdvancedEventSelectorProperty => ({
      name,
      fieldSelectors: [
        { field: 'eventCategory', equalTo: ['Data'] },
        { field: 'resources.type', equalTo: [type] },
        { field: 'resources.ARN', startsWith: arns.map((arn) => `${arn}/`) },
      ],
    });
    const kinds = ['data', 'control', 'audit', ...(zoneIds.length === 0 ? (['log'] as const) : [])] as const;
    return [
      {
        name: 'management events',
        fieldSelectors: [{ field: 'eventCategory', equalTo: ['Management'] }],
      },
      data(
        'objects',
        'AWS::S3::Object',
        kinds.map((kind) => names.bucketArn(kind)),
      ),
      ...(zoneIds.length === 0
        ? []
        : [
            data(
              'objects of the commit log',
              'AWS::S3Express::Object',
              zoneIds.map((zoneId) => names.directoryBucketArn(zoneId)),
            ),
          ]),
    ];
  }

  private recorder(): CfnDeliveryChannel {
    const { names, configuration } = this.context;
    const recorder = new CfnConfigurationRecorder(this, 'Recorder', {
      name: names.prefix,
      roleArn: `arn:${names.partition}:iam::${configuration.account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig`,
      recordingGroup: { allSupported: true, includeGlobalResourceTypes: true },
    });
    const channel = new CfnDeliveryChannel(this, 'Delivery', {
      name: names.prefix,
      s3BucketName: names.bucket('config'),
      s3KmsKeyArn: this.auditKeyArn,
    });
    channel.addResourceDependency(recorder);
    return channel;
  }
}
