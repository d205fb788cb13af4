import { ArnPrincipal, CompositePrincipal, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { storePrefixes } from '../config/deployment-names.js';
import type { DeploymentContext } from './deployment-context.js';
import { dataKeyActions, dataKeyConditions } from './key-uses.js';
import { accessObjects, useBucketKey } from './object-access.js';
import { processRole } from './process-role.js';

export interface EmergencyRoleProps {
  readonly context: DeploymentContext;
  readonly storeKeyArns: readonly string[];
  readonly dataKeyKeyArns: readonly string[];
}

/**
 * Breaking glass: what a data node can do with data, for people, with a second factor and for an hour. There is an alarm for every
 * use (observability) and every object that is read is in the trail (compliance).
 */
export class EmergencyRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { context, storeKeyArns, dataKeyKeyArns }: EmergencyRoleProps) {
    super(scope, id);
    const { names, configuration } = context;
    const zoneIds = names.directoryBucketZoneIds;
    this.role = processRole(this, context, 'emergency', {
      description: 'Reads and writes data when nothing else helps; every use raises an alarm',
      assumedBy: new CompositePrincipal(
        ...configuration.emergency.principalArns.map((arn) => new ArnPrincipal(arn)),
      ).withConditions({
        Bool: { 'aws:MultiFactorAuthPresent': 'true' },
        // Events of STS are in the region that was asked: elsewhere nobody watches.
        StringEquals: { 'aws:RequestedRegion': configuration.region },
      }),
      statements: [
        ...(['data', 'control', ...(zoneIds.length === 0 ? (['log'] as const) : [])] as const).flatMap((kind) =>
          accessObjects({
            sid: kind.charAt(0).toUpperCase() + kind.slice(1),
            bucketArn: names.bucketArn(kind),
            prefix: storePrefixes[kind],
            access: 'write',
          }),
        ),
        ...(zoneIds.length === 0
          ? []
          : [
              new PolicyStatement({
                sid: 'LogSessions',
                actions: ['s3express:CreateSession'],
                resources: zoneIds.map((zoneId) => names.directoryBucketArn(zoneId)),
                conditions: { StringEquals: { 's3express:SessionMode': ['ReadOnly', 'ReadWrite'] } },
              }),
            ]),
        ...storeKeyArns.map((keyArn, index) => useBucketKey(`StoreKey${index}`, keyArn, configuration.region)),
        new PolicyStatement({
          sid: 'DataKeys',
          actions: dataKeyActions,
          resources: [...dataKeyKeyArns],
          conditions: dataKeyConditions,
        }),
      ],
    });
  }
}
