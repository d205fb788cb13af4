import { manifestFaults } from './manifest-faults.js';
import type { Manifest } from './rendered-chart.js';

const limits = { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1Gi' };

/** A pod without a fault; each case changes one thing of it. */
function pod() {
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'p' },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } } as any,
      volumes: [{ name: 'cache', emptyDir: { sizeLimit: '1Gi' } }] as any[],
      containers: [
        {
          name: 'c',
          image: `registry:5000/a/b@sha256:${'0'.repeat(64)}`,
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          } as any,
          resources: { limits: { ...limits } as Record<string, string> },
          ports: [] as any[],
        },
      ],
    } as any,
  };
}

type Change = (spec: any, container: any) => void;

describe('the scan of manifests', () => {
  it('finds nothing in a good pod, and nothing in what is no pod', () => {
    expect(manifestFaults(pod() as Manifest)).toEqual([]);
    expect(manifestFaults({ kind: 'Service', apiVersion: 'v1', metadata: { name: 's' } })).toEqual([]);
  });

  it.each<[string, Change]>([
    ['hostNetwork', (spec) => (spec.hostNetwork = true)],
    ['hostPID', (spec) => (spec.hostPID = true)],
    ['may run as root', (spec) => delete spec.securityContext.runAsNonRoot],
    ['runs as root', (spec) => (spec.securityContext.runAsUser = 0)],
    ['no seccomp profile', (spec) => delete spec.securityContext.seccompProfile],
    ['sysctls', (spec) => (spec.securityContext.sysctls = [])],
    ['mounts a token', (spec) => delete spec.automountServiceAccountToken],
    ['volume of kind hostPath', (spec) => spec.volumes.push({ name: 'h', hostPath: { path: '/' } })],
    ['emptyDir without a limit', (spec) => spec.volumes.push({ name: 'e', emptyDir: {} })],
    ['container c: privileged', (_spec, c) => (c.securityContext.privileged = true)],
    ['container c: may gain privileges', (_spec, c) => delete c.securityContext.allowPrivilegeEscalation],
    ['container c: root file system can be written', (_spec, c) => delete c.securityContext.readOnlyRootFilesystem],
    ['container c: runs as root', (_spec, c) => (c.securityContext.runAsUser = 0)],
    ['container c: keeps capabilities', (_spec, c) => (c.securityContext.capabilities = { drop: ['NET_RAW'] })],
    ['container c: adds capabilities', (_spec, c) => (c.securityContext.capabilities.add = ['SYS_ADMIN'])],
    ['container c: no seccomp profile', (_spec, c) => (c.securityContext.seccompProfile = { type: 'Unconfined' })],
    ['container c: no limit of cpu', (_spec, c) => delete c.resources.limits.cpu],
    ['container c: no limit of memory', (_spec, c) => delete c.resources.limits.memory],
    ['container c: port of the machine', (_spec, c) => c.ports.push({ containerPort: 80, hostPort: 80 })],
    ['container c: image a/b:latest is not pinned', (_spec, c) => (c.image = 'a/b:latest')],
    ['container c: image registry:5000/a/b is not pinned', (_spec, c) => (c.image = 'registry:5000/a/b')],
  ])('finds: %s', (fault, change) => {
    const bad = pod();
    change(bad.spec, bad.spec.containers[0]);
    expect(manifestFaults(bad as Manifest)).toEqual([`Pod p: ${fault}`]);
  });

  it('looks into what makes pods, into init containers, and at accounts', () => {
    const { spec } = pod();
    spec.initContainers = [{ ...spec.containers[0], name: 'i', image: 'x:latest' }];
    const object = (kind: string, rest: object): Manifest => ({
      kind,
      apiVersion: 'v1',
      metadata: { name: 'o' },
      ...rest,
    });
    expect(manifestFaults(object('Deployment', { spec: { template: { spec } } }))).toHaveLength(1);
    expect(manifestFaults(object('CronJob', { spec: { jobTemplate: { spec: { template: { spec } } } } }))).toHaveLength(
      1,
    );
    expect(manifestFaults(object('ServiceAccount', {}))).toEqual(['ServiceAccount o mounts a token']);
    expect(manifestFaults(object('ServiceAccount', { automountServiceAccountToken: false }))).toEqual([]);
  });
});
