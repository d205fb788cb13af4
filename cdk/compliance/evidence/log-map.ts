import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { asList, isObject, scalarText, type JsonObject } from '../assembly/template.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** Every place that logs go to: what is in them, how long it is kept, under which key. */
export function logMap(app: SynthesizedApp, functions: IntrinsicFunctions): EvidenceSection {
  const rows: string[][] = [];
  const each = (
    type: string,
    row: (properties: JsonObject, ref: string, logicalId: string) => readonly string[] | undefined,
  ) => {
    for (const located of resourcesOf(app, type)) {
      const properties = functions.resolve(located.stack, located.resource.Properties ?? {}) as JsonObject;
      const cells = row(properties, functions.namesOf(located).ref, located.logicalId);
      if (cells) rows.push([...cells]);
    }
  };
  each('AWS::Logs::LogGroup', (group, ref) => [
    'log group',
    ref,
    ref.includes('flow') ? 'network flows' : 'output of processes',
    group['RetentionInDays'] === undefined ? 'for ever' : `${scalarText(group['RetentionInDays'])} days`,
    scalarText(group['KmsKeyId'], 'key of AWS'),
    'no',
  ]);
  each('AWS::CloudTrail::Trail', (trail, _, logicalId) => [
    'trail',
    logicalId,
    [
      ...asList(trail['EventSelectors']).filter(isObject).flatMap(trailContent),
      ...asList(trail['AdvancedEventSelectors'])
        .filter(isObject)
        .map((selector) => scalarText(selector['Name'], 'selected events')),
    ].join(', ') || 'management events',
    `as its bucket ${scalarText(trail['S3BucketName'])}`,
    scalarText(trail['KMSKeyId'], 'key of its bucket'),
    trail['EnableLogFileValidation'] === true ? 'digest files' : 'no',
  ]);
  each('AWS::EC2::FlowLog', (flow, _, logicalId) => [
    'flow log',
    logicalId,
    `${scalarText(flow['TrafficType'])} traffic of ${scalarText(flow['ResourceId'])}`,
    `as ${scalarText(flow['LogGroupName'] ?? flow['LogDestination'])}`,
    '',
    'no',
  ]);
  each('AWS::S3::Bucket', (bucket, ref) => {
    const lock = isObject(bucket['ObjectLockConfiguration']) ? bucket['ObjectLockConfiguration'] : undefined;
    const logging = isObject(bucket['LoggingConfiguration']) ? bucket['LoggingConfiguration'] : undefined;
    if (!lock && !logging) return undefined;
    const retention =
      isObject(lock?.['Rule']) && isObject(lock['Rule']['DefaultRetention'])
        ? lock['Rule']['DefaultRetention']
        : undefined;
    return [
      lock ? 'locked bucket' : 'access log',
      ref,
      lock ? 'trail and audit log' : `requests to ${ref}, in ${scalarText(logging?.['DestinationBucketName'], ref)}`,
      retention ? `locked for ${lockedFor(retention)}` : 'as its lifecycle says',
      '',
      retention ? scalarText(retention['Mode']).toLowerCase() : 'no',
    ];
  });
  each('AWS::ElasticLoadBalancingV2::LoadBalancer', (balancer, _, logicalId) => {
    const attributes = asList(balancer['LoadBalancerAttributes']).filter(isObject);
    const value = (key: string) => attributes.find((attribute) => attribute['Key'] === key)?.['Value'];
    return value('access_logs.s3.enabled') === 'true'
      ? [
          'access log',
          logicalId,
          'requests to the load balancer',
          `as bucket ${scalarText(value('access_logs.s3.bucket'))}`,
          '',
          'no',
        ]
      : undefined;
  });
  each('AWS::WAFv2::LoggingConfiguration', (logging, _, logicalId) => [
    'firewall log',
    logicalId,
    'requests that the web application firewall saw',
    `as ${asList(logging['LogDestinationConfigs']).map(String).join(', ')}`,
    '',
    'no',
  ]);
  const forEver = rows.filter(([, , , kept]) => kept === 'for ever');
  return evidenceSection({
    id: 'log-map',
    title: 'Log map',
    statement: [
      `${rows.length} places that logs go to. ` +
        (forEver.length === 0
          ? 'Each keeps them for a stated time.'
          : `Without an end: ${forEver.map(([, name]) => name).join(', ')}.`),
      'Logs name databases by their ids and never hold SQL, values, tokens or key material.',
    ],
    columns: ['Kind', 'Name', 'Holds', 'Kept', 'Encrypted with', 'Protected against change'],
    rows,
  });
}

function trailContent(selector: JsonObject): readonly string[] {
  return [
    ...(selector['IncludeManagementEvents'] === false ? [] : ['management events']),
    ...asList(selector['DataResources'])
      .filter(isObject)
      .map((data) => `data events of ${scalarText(data['Type'])}`),
  ];
}

function lockedFor(retention: JsonObject): string {
  const days = scalarText(retention['Days']);
  return days === '' ? `${scalarText(retention['Years'])} years` : `${days} days`;
}
