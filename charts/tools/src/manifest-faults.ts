/**
 * What no manifest of this chart may contain: more privilege than the restricted Pod Security Standard has, the machine's
 * files or namespaces, an image that means something else tomorrow, a container without limits, a token that nobody uses.
 */
import type { Manifest } from './rendered-chart.js';

interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
  readonly sysctls?: readonly unknown[];
}

interface Container {
  readonly name: string;
  readonly image?: string;
  readonly securityContext?: SecurityContext;
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
  readonly ports?: readonly { readonly hostPort?: number }[];
}

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext?: SecurityContext;
  readonly volumes?: readonly ({ readonly emptyDir?: { readonly sizeLimit?: string } } & object)[];
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
  readonly ephemeralContainers?: readonly Container[];
}

/** What makes pods, at any depth. */
interface PodMaker {
  readonly template?: { readonly spec: PodSpec };
  readonly jobTemplate?: { readonly spec: PodMaker };
}

const limited = ['cpu', 'memory', 'ephemeral-storage'];
const volumeKinds = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** One sentence for each fault. */
export function manifestFaults(manifest: Manifest): string[] {
  const at = `${manifest.kind} ${manifest.metadata.name}`;
  if (manifest.kind === 'ServiceAccount') {
    return manifest['automountServiceAccountToken'] === false ? [] : [`${at} mounts a token`];
  }
  const pod = podSpec(manifest);
  if (pod === undefined) return [];
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod;
  const ofContainers = [...initContainers, ...containers, ...ephemeralContainers].flatMap((container) =>
    containerFaults(container, pod),
  );
  return [...podFaults(pod), ...ofContainers].map((fault) => `${at}: ${fault}`);
}

function podSpec(manifest: Manifest): PodSpec | undefined {
  if (manifest.kind === 'Pod') return manifest['spec'] as PodSpec;
  const spec = (manifest['spec'] ?? {}) as PodMaker;
  return (spec.template ?? spec.jobTemplate?.spec.template)?.spec;
}

function podFaults(pod: PodSpec): string[] {
  const security = pod.securityContext ?? {};
  const faults: string[] = [];
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC'] as const) if (pod[name] === true) faults.push(name);
  if (security.runAsNonRoot !== true) faults.push('may run as root');
  if (security.runAsUser === 0) faults.push('runs as root');
  if (security.seccompProfile?.type !== 'RuntimeDefault') faults.push('no seccomp profile');
  if (security.sysctls !== undefined) faults.push('sysctls');
  if (pod.automountServiceAccountToken !== false) faults.push('mounts a token');
  for (const volume of pod.volumes ?? []) {
    for (const kind of Object.keys(volume)) {
      if (kind !== 'name' && !volumeKinds.includes(kind)) faults.push(`volume of kind ${kind}`);
    }
    if (volume.emptyDir && volume.emptyDir.sizeLimit === undefined) faults.push('emptyDir without a limit');
  }
  return faults;
}

function containerFaults(container: Container, pod: PodSpec): string[] {
  const security = container.securityContext ?? {};
  const faults: string[] = [];
  if (security.privileged === true) faults.push('privileged');
  if (security.allowPrivilegeEscalation !== false) faults.push('may gain privileges');
  if (security.readOnlyRootFilesystem !== true) faults.push('root file system can be written');
  if (security.runAsNonRoot === false || security.runAsUser === 0) faults.push('runs as root');
  if (!security.capabilities?.drop?.includes('ALL')) faults.push('keeps capabilities');
  if (security.capabilities?.add !== undefined) faults.push('adds capabilities');
  const seccomp = security.seccompProfile ?? pod.securityContext?.seccompProfile;
  if (seccomp?.type === 'Unconfined') faults.push('no seccomp profile');
  for (const name of limited) if (!container.resources?.limits?.[name]) faults.push(`no limit of ${name}`);
  for (const port of container.ports ?? []) if (port.hostPort !== undefined) faults.push('port of the machine');
  if (!isPinned(container.image ?? '')) faults.push(`image ${container.image ?? ''} is not pinned`);
  return faults.map((fault) => `container ${container.name}: ${fault}`);
}

/** A digest, or a tag that is a version. */
function isPinned(image: string): boolean {
  return /@sha256:[0-9a-f]{64}$/.test(image) || (/:[^/:@]+$/.test(image) && !image.endsWith(':latest'));
}
