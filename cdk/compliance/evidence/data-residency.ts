import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { isObject, type JsonObject } from '../assembly/template.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** Types of resources that keep something, and what that is. */
const keepers: Readonly<Record<string, string>> = {
  'AWS::S3::Bucket': 'objects',
  'AWS::S3Express::DirectoryBucket': 'commit log: sealed commits of at most some minutes',
  'AWS::KMS::Key': 'key material, which never leaves KMS',
  'AWS::Logs::LogGroup': 'logs',
  'AWS::SecretsManager::Secret': 'a credential',
  'AWS::SSM::Parameter': 'a setting',
  'AWS::DynamoDB::Table': 'items',
  'AWS::RDS::DBCluster': 'a database',
  'AWS::EFS::FileSystem': 'files',
};

/** Where data is, where it goes, and that it stays. */
export function dataResidency(app: SynthesizedApp, functions: IntrinsicFunctions): EvidenceSection {
  const places = app.stacks.map((stack) => functions.placeOf(stack));
  const regions = [...new Set(places.map(({ region }) => region))];
  const accounts = [...new Set(places.map(({ account }) => account))];
  const kept = resourcesOf(app, ...Object.keys(keepers));
  const properties = ({ stack, resource }: LocatedResource) =>
    functions.resolve(stack, resource.Properties ?? {}) as JsonObject;
  const replicated = kept.filter((located) => copiesElsewhere(properties(located)));
  return evidenceSection({
    id: 'data-residency',
    title: 'Data flow and data residency',
    statement: [
      `${app.stacks.length} stacks, all of them in ${regions.length === 1 ? `region ${regions[0] ?? ''}` : `regions ${regions.join(', ')}`} of ${accounts.length === 1 ? `account ${accounts[0] ?? ''}` : `accounts ${accounts.join(', ')}`}. Everything that keeps data is listed below, with its region.`,
      replicated.length === 0
        ? 'No bucket replicates to another one, no key or secret has a replica in another region.'
        : `Copied to elsewhere by configuration: ${replicated.map(({ logicalId }) => logicalId).join(', ')}.`,
      'How data flows: a client sends SQL over TLS to the load balancer, which hands it to a data node. The node seals what a commit changed with AES-256-GCM under the data key of that database and writes it to the commit log; it is acknowledged when it is stored there. Segments and archives of the database are sealed likewise and written to the data bucket. Both buckets are encrypted a second time by S3 with a key of this deployment. The data key is stored only wrapped by KMS.',
      'The control plane has no right to the data bucket, the log buckets or the keys of databases; it reaches databases as any client does, with a token whose making is in the audit log.',
      'Nothing is sent to the makers of this software: no telemetry, no licence check, no update check. The software has no address of theirs.',
    ],
    columns: ['What', 'Name', 'Keeps', 'Account', 'Region', 'Copied to'],
    rows: kept.map((located) => {
      const { account, region } = functions.placeOf(located.stack);
      return [
        located.resource.Type,
        functions.namesOf(located).ref,
        keepers[located.resource.Type] ?? '',
        account,
        region,
        copiesElsewhere(properties(located)) ? 'see the template' : 'nowhere',
      ];
    }),
  });
}

function copiesElsewhere(properties: JsonObject): boolean {
  return (
    isObject(properties['ReplicationConfiguration']) ||
    Array.isArray(properties['ReplicaRegions']) ||
    properties['MultiRegion'] === true
  );
}
