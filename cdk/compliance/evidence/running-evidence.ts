import type { DeployedResource, RunningDeployment } from '../../preflight/doctor/running-deployment.js';
import type { SynthesizedApp } from '../assembly/synthesized-app.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

/** What is really deployed of what the templates say, read with the credentials at hand. What could not be read says so. */
export async function runningEvidence(app: SynthesizedApp, running: RunningDeployment): Promise<EvidenceSection> {
  const rows: (readonly [string, string, string])[] = [];
  for (const { name } of app.stacks) {
    const stack = await running.stack(name);
    rows.push([
      'stack',
      name,
      !stack.known
        ? `not read: ${stack.why}`
        : stack.value === 'missing'
          ? 'not deployed'
          : `${stack.value.status}, ${stack.value.terminationProtected ? 'protected from termination' : 'not protected from termination'}`,
    ]);
    if (!stack.known || stack.value === 'missing') continue;
    const resources = await running.resources(name);
    if (!resources.known) {
      rows.push(['stack', `${name}: resources`, `not read: ${resources.why}`]);
      continue;
    }
    for (const resource of resources.value) {
      const state = await stateOf(resource, running);
      if (state !== undefined) rows.push([resource.type, resource.physicalId, state]);
    }
  }
  const unread = rows.filter(([, , state]) => state.startsWith('not read'));
  return evidenceSection({
    id: 'running-deployment',
    title: 'The running deployment',
    statement: [
      `${rows.length - unread.length} facts were read from the account.` +
        (unread.length > 0 ? ` ${unread.length} could not be read, for the reasons below.` : ''),
    ],
    columns: ['What', 'Name', 'State'],
    rows,
  });
}

async function stateOf(
  { type, physicalId }: DeployedResource,
  running: RunningDeployment,
): Promise<string | undefined> {
  switch (type) {
    case 'AWS::KMS::Key': {
      const key = await running.key(physicalId);
      if (!key.known) return `not read: ${key.why}`;
      if (key.value === 'missing') return 'missing';
      const { state, spec, rotates } = key.value;
      return `${state}, ${spec}, ${rotates === undefined ? 'rotation not read' : rotates ? 'rotates' : 'does not rotate'}`;
    }
    case 'AWS::S3::Bucket': {
      const bucket = await running.bucket(physicalId);
      if (!bucket.known) return `not read: ${bucket.why}`;
      if (bucket.value === 'missing') return 'missing';
      const { keyArn, versioned, publicAccessBlocked, locked } = bucket.value;
      return [
        keyArn === undefined ? 'no customer key' : `encrypted with ${keyArn}`,
        versioned ? 'versioned' : 'not versioned',
        publicAccessBlocked ? 'public access blocked' : 'public access not blocked',
        locked ? 'objects locked' : 'objects not locked',
      ].join(', ');
    }
    case 'AWS::Logs::LogGroup': {
      const group = await running.logGroup(physicalId);
      if (!group.known) return `not read: ${group.why}`;
      if (group.value === 'missing') return 'missing';
      return `kept ${group.value.retentionDays === undefined ? 'for ever' : `${group.value.retentionDays} days`}, ${group.value.keyArn ?? 'key of AWS'}`;
    }
    case 'AWS::CloudTrail::Trail': {
      const trail = await running.trail(physicalId);
      if (!trail.known) return `not read: ${trail.why}`;
      if (trail.value === 'missing') return 'missing';
      return trail.value.logging ? 'records' : 'records nothing';
    }
    default:
      return undefined;
  }
}
