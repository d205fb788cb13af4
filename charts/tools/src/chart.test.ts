/** The chart as Helm renders it, for every case of the matrix; what is wrong with it, kubeconform and the scan say. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Metrics } from '@turso-byoc/data-plane/metering/metrics.js';
import { nodeSettings } from '@turso-byoc/data-plane/node/settings.js';
// The built file: the control plane exports nothing.
import { readConfig } from '../../../control-plane/dist/config.js';
import { ControlMetrics } from '../../../control-plane/dist/metering/control-metrics.js';
import { manifestFaults } from './manifest-faults.js';
import { chartCases, chartDirectory, chartTool, conformityOf, parseManifests, renderText } from './rendered-chart.js';

/** What lies below differs by kind; whoever reads it knows the kind. */
type Manifest = Pick<ReturnType<typeof parseManifests>[number], 'kind' | 'apiVersion' | 'metadata'> &
  Record<string, any>;

const run = promisify(execFile);
const helm = chartTool('helm');
const kubeconform = chartTool('kubeconform');
const schemas = process.env['TURSO_BYOC_TEST_KUBERNETES_SCHEMAS'];
const needs = 'see .ci/install-chart-tools';

if (helm === undefined) {
  it(`skipped: no Helm given (set TURSO_BYOC_TEST_HELM, ${needs})`, () => {
    process.stderr.write('the chart: skipped, no Helm given\n');
  });
} else {
  const cases = await chartCases();
  const fileOf = (name: string): string => cases.get(name) ?? '';
  const rendered = new Map<string, Promise<string>>();
  const textOf = async (name: string): Promise<string> => {
    const text = rendered.get(name) ?? renderText(helm, fileOf(name));
    rendered.set(name, text);
    return text;
  };
  const manifestsOf = async (name: string): Promise<Manifest[]> => parseManifests(await textOf(name));
  const withSets = async (name: string, ...sets: string[]): Promise<Manifest[]> =>
    parseManifests(await renderText(helm, fileOf(name), sets));
  const named = (manifests: Manifest[], kind: string, name: string): Manifest => {
    const found = manifests.filter((each) => each.kind === kind && each.metadata.name === name);
    expect([kind, name, found.length]).toEqual([kind, name, 1]);
    return found[0]!;
  };
  const ofKind = (manifests: Manifest[], kind: string): Manifest[] => manifests.filter((each) => each.kind === kind);
  const podOf = (deployment: Manifest): any => deployment['spec'].template.spec;

  describe.each([...cases.keys()])('the chart with %s', (name) => {
    it('passes the linter', async () => {
      const { stdout } = await run(helm, ['lint', '--strict', chartDirectory, '--values', fileOf(name)]);
      expect(stdout).toMatch(/1 chart\(s\) linted, 0 chart\(s\) failed/);
    });

    it('renders the same twice, objects with names of their own and labels by which they are found', async () => {
      if (name !== 'local' && name !== 'open') expect(await renderText(helm, fileOf(name))).toBe(await textOf(name));
      const manifests = await manifestsOf(name);
      const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      for (const { metadata } of manifests) {
        expect(metadata.name).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
        expect(metadata.name.length).toBeLessThanOrEqual(63);
        expect(metadata.labels).toMatchObject({
          'app.kubernetes.io/name': 'turso-byoc',
          'app.kubernetes.io/instance': 'release',
          'app.kubernetes.io/component': expect.stringMatching(/^[a-z]+$/),
        });
      }
    });

    it('has no fault that the scan knows', async () => {
      expect((await manifestsOf(name)).flatMap((manifest) => manifestFaults(manifest))).toEqual([]);
    });

    it('gives data nodes and control planes settings that they take', async () => {
      const manifests = await manifestsOf(name);
      const prefix = name === 'tuned' ? 'turso' : 'release-turso-byoc';
      const environment = named(manifests, 'ConfigMap', `${prefix}-data`)['data'] as Record<string, string>;
      expect(nodeSettings(environment)).toMatchObject({ httpPort: 8080, adminPort: 8082, cacheDirectory: '/cache' });
      const control = named(manifests, 'ConfigMap', `${prefix}-control`)['data'] as Record<string, string>;
      expect(readConfig(control)).toMatchObject({ apiPort: 8081, dataUrl: `http://${prefix}-data:8080/` });
      // The control plane is told nothing that leads to data, log or keys.
      expect(Object.keys(control).filter((key) => /DATA_STORE|LOG_STORE|KEY_SERVICE/.test(key))).toEqual([]);
    });

    it('leaves a stopping pod more time than everything that it does then', async () => {
      for (const deployment of ofKind(await manifestsOf(name), 'Deployment')) {
        const { terminationGracePeriodSeconds, containers } = podOf(deployment);
        const preStop = containers[0].lifecycle.preStop.sleep.seconds as number;
        const isData = deployment.metadata.labels?.['app.kubernetes.io/component'] === 'data';
        const delayMs = isData ? Number((await configOf(name, 'data'))['TURSO_BYOC_DRAIN_DELAY_MS']) : 0;
        // Transactions that are under way: docs/operations/failover.md; calls of the Platform API: ten seconds.
        expect(terminationGracePeriodSeconds).toBeGreaterThan(preStop + delayMs / 1000 + (isData ? 15 : 10));
      }
    });

    const known = kubeconform !== undefined && schemas ? it : it.skip;
    known('is what the API of Kubernetes takes, to the last field', async () => {
      const { resources, summary } = await conformityOf(kubeconform ?? '', schemas ?? '', await textOf(name));
      expect(resources).toEqual([]);
      expect(summary).toEqual({ valid: (await manifestsOf(name)).length, invalid: 0, errors: 0, skipped: 0 });
    });
  });

  if (kubeconform === undefined || !schemas) {
    it(`skipped: no kubeconform or no schemas given (set TURSO_BYOC_TEST_KUBECONFORM, ${needs})`, () => {
      process.stderr.write('the chart against the API of Kubernetes: skipped, no kubeconform given\n');
    });
  } else {
    it('kubeconform finds a misspelt field', async () => {
      const misspelt = (await textOf('standard')).replace('preStop:', 'perStop:');
      const { resources } = await conformityOf(kubeconform, schemas, misspelt);
      expect(resources).toEqual([expect.objectContaining({ msg: expect.stringContaining('perStop') })]);
    });
  }

  const configOf = async (name: string, component: 'data' | 'control'): Promise<Record<string, string>> =>
    ofKind(await manifestsOf(name), 'ConfigMap').find(
      ({ metadata }) => metadata.name.endsWith(`-${component}`) && metadata.labels?.['app.kubernetes.io/component'],
    )!['data'] as Record<string, string>;

  describe('what the chart refuses', () => {
    it.each<[string, string, RegExp]>([
      ['standard', 'stores.data=""', /stores\.data is not set/],
      ['standard', 'stores.control=""', /stores\.control is not set/],
      ['standard', 'stores.log=[]', /stores\.log must have one URL, or three/],
      ['standard', 'stores.log=["s3://a","s3://b"]', /stores\.log must have one URL, or three/],
      ['standard', 'keyService=""', /keyService is not set/],
      ['standard', 'region=""', /region is not set/],
      ['standard', 'hostname=""', /hostname is not set/],
      ['standard', 'secrets.existingSecret=""', /name a Secret/],
      ['standard', 'secrets.generate=true', /exclude each other/],
      ['standard', 'gateway.enabled=true', /gateway\.name is not set/],
      ['express', 'zones=[]', /list the zones/],
      ['irsa-alb', 'ingress.certificateArn=""', /must not travel unencrypted/],
      ['nginx', 'ingress.tlsSecret=""', /must not travel unencrypted/],
      ['tuned', 'networkPolicy.traceCollectors=[]', /a collector that no pod may reach/],
      ['local', 'dataNode.replicas=2', /local\.enabled runs one data node/],
      ['local', 'keyService="kms:alias/a"', /leave stores and keyService empty/],
      ['local', 'ingress={"enabled":true,"className":"nginx","tlsSecret":"t"}', /ingress and gateway need it/],
      ['autoscaling', 'dataNode.autoscaling.minReplicas=99', /larger than maxReplicas/],
      // By the schema.
      ['standard', 'replicas=3', /additional ?properties/i],
      ['standard', 'images.dataNode.tag="latest"', /images\/dataNode\/tag|images\.dataNode\.tag/],
      ['standard', 'dataNode.settings={"PATH":"x"}', /settings/],
      ['standard', 'dataNode.resources.limits=null', /limits/],
    ])('%s with %s', async (name, set, says) => {
      await expect(renderText(helm, fileOf(name), [set])).rejects.toMatchObject({
        stderr: expect.stringMatching(says),
      });
    });
  });

  describe('data nodes', () => {
    it('are one Deployment where the log is regional, spread over zones and machines', async () => {
      const [deployment, ...more] = ofKind(await manifestsOf('standard'), 'Deployment').filter(
        ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'data',
      );
      expect(more).toEqual([]);
      expect(deployment!['spec'].replicas).toBe(3);
      expect(podOf(deployment!).topologySpreadConstraints.map(({ topologyKey }: any) => topologyKey)).toEqual([
        'kubernetes.io/hostname',
        'topology.kubernetes.io/zone',
      ]);
    });

    it('are one Deployment a zone where the log is zonal, bound to it and scaled by itself', async () => {
      const manifests = await manifestsOf('express-quorum');
      const zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
      for (const zone of zones) {
        const deployment = named(manifests, 'Deployment', `release-turso-byoc-data-${zone}`);
        const terms = podOf(deployment).affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
        expect(terms.nodeSelectorTerms[0].matchExpressions).toEqual([
          { key: 'topology.kubernetes.io/zone', operator: 'In', values: [zone] },
        ]);
        // Two Deployments must not think that they own each other's pods.
        expect(deployment['spec'].selector.matchLabels['turso-byoc/zone']).toBe(zone);
        expect(deployment['spec'].replicas).toBeUndefined();
        const scaler = named(manifests, 'HorizontalPodAutoscaler', `release-turso-byoc-data-${zone}`);
        expect(scaler['spec'].scaleTargetRef.name).toBe(deployment.metadata.name);
      }
      expect(ofKind(manifests, 'Deployment')).toHaveLength(zones.length + 1);
      // One budget over all zones.
      const budget = named(manifests, 'PodDisruptionBudget', 'release-turso-byoc-data');
      expect(budget['spec'].selector.matchLabels).not.toHaveProperty('turso-byoc/zone');
      expect((await configOf('express-quorum', 'data'))['TURSO_BYOC_LOG_STORE']!.split(' ')).toHaveLength(3);
    });

    it('scale down slowly', async () => {
      const [scaler] = ofKind(await manifestsOf('autoscaling'), 'HorizontalPodAutoscaler');
      expect(scaler!['spec'].behavior.scaleDown.policies).toEqual([{ type: 'Pods', value: 1, periodSeconds: 900 }]);
    });

    it('are probed for what each probe means', async () => {
      for (const deployment of ofKind(await manifestsOf('standard'), 'Deployment')) {
        const [container] = podOf(deployment).containers;
        expect(container.startupProbe.httpGet).toEqual({ path: '/health', port: 'http' });
        expect(container.readinessProbe.httpGet).toEqual({ path: '/ready', port: 'http' });
        expect(container.livenessProbe.httpGet).toEqual({ path: '/health', port: 'http' });
      }
    });

    it('are told where others reach them, by the address of their pod', async () => {
      const deployment = named(await manifestsOf('standard'), 'Deployment', 'release-turso-byoc-data');
      expect(podOf(deployment).containers[0].env).toEqual([
        { name: 'TURSO_BYOC_ADVERTISED_HOST', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ]);
    });

    it('are placed, sized and set as the values say', async () => {
      const manifests = await manifestsOf('tuned');
      const pod = podOf(named(manifests, 'Deployment', 'turso-data'));
      expect(pod).toMatchObject({
        terminationGracePeriodSeconds: 165,
        nodeSelector: { 'node.kubernetes.io/instance-type': 'i4i.2xlarge' },
        tolerations: [{ key: 'turso', operator: 'Exists', effect: 'NoSchedule' }],
        priorityClassName: 'system-cluster-critical',
        volumes: [{ name: 'cache', emptyDir: { sizeLimit: '100Gi' } }, { name: 'secrets' }],
      });
      expect(pod.containers[0].resources.limits).toEqual({ cpu: '8', memory: '16Gi', 'ephemeral-storage': '120Gi' });
      expect(named(manifests, 'ConfigMap', 'turso-data')['data']).toMatchObject({
        TURSO_BYOC_COMMIT_WINDOW_MS: '5',
        TURSO_BYOC_ENGINE_PROCESSES: '4',
      });
    });

    it('start anew when their settings change, and only they', async () => {
      const checksum = (manifests: Manifest[], component: string): string =>
        named(manifests, 'Deployment', `release-turso-byoc-${component}`)['spec'].template.metadata.annotations[
          'checksum/config'
        ] as string;
      const before = await manifestsOf('standard');
      const after = await withSets('standard', 'dataNode.settings={"TURSO_BYOC_COMMIT_WINDOW_MS":"7"}');
      expect(checksum(after, 'data')).not.toBe(checksum(before, 'data'));
      expect(checksum(after, 'control')).toBe(checksum(before, 'control'));
    });

    it('get the admin credential only; the control plane the signing key, too', async () => {
      const keysOf = (manifests: Manifest[], component: string): string[] =>
        podOf(named(manifests, 'Deployment', `release-turso-byoc-${component}`))
          .volumes.find(({ name }: any) => name === 'secrets')
          .secret.items.map(({ key }: any) => key);
      const manifests = await manifestsOf('standard');
      expect(keysOf(manifests, 'data')).toEqual(['admin-credential']);
      expect(keysOf(manifests, 'control')).toEqual(['admin-credential', 'signing-key']);
    });
  });

  describe('identities', () => {
    it('are roles for IRSA, of two accounts', async () => {
      const accounts = ofKind(await manifestsOf('irsa-alb'), 'ServiceAccount');
      expect(accounts.map(({ metadata }) => metadata.annotations?.['eks.amazonaws.com/role-arn'])).toEqual([
        'arn:aws:iam::111122223333:role/turso-data-node',
        'arn:aws:iam::111122223333:role/turso-control-plane',
      ]);
    });

    it('may be made elsewhere, as for Pod Identity', async () => {
      const manifests = await manifestsOf('pod-identity');
      expect(ofKind(manifests, 'ServiceAccount')).toEqual([]);
      expect(podOf(named(manifests, 'Deployment', 'release-turso-byoc-data')).serviceAccountName).toBe('turso-data');
      expect(podOf(named(manifests, 'Deployment', 'release-turso-byoc-control'))).toMatchObject({
        serviceAccountName: 'turso-control',
        imagePullSecrets: [{ name: 'registry-credentials' }],
      });
    });

    it('are made without annotations where no role is named', async () => {
      for (const account of ofKind(await manifestsOf('standard'), 'ServiceAccount')) {
        expect(account.metadata.annotations).toBeUndefined();
      }
    });
  });

  describe('ways in', () => {
    it('are none by default', async () => {
      const kinds = (await manifestsOf('standard')).map(({ kind }) => kind);
      expect(kinds).not.toContain('Ingress');
      expect(kinds).not.toContain('HTTPRoute');
    });

    it('are an Ingress of the AWS Load Balancer Controller, encrypted, internal, asking whether nodes are ready', async () => {
      const ingress = named(await manifestsOf('irsa-alb'), 'Ingress', 'release-turso-byoc');
      expect(ingress.metadata.annotations).toMatchObject({
        'alb.ingress.kubernetes.io/scheme': 'internal',
        'alb.ingress.kubernetes.io/listen-ports': '[{"HTTPS": 443}]',
        'alb.ingress.kubernetes.io/healthcheck-path': '/ready',
      });
      expect(ingress['spec'].rules.map(({ host }: any) => host)).toEqual(['api.db.example.com', '*.db.example.com']);
    });

    it('are an Ingress of another class with a certificate in a Secret', async () => {
      const ingress = named(await manifestsOf('nginx'), 'Ingress', 'release-turso-byoc');
      expect(ingress.metadata.annotations).toEqual({ 'nginx.ingress.kubernetes.io/proxy-body-size': '10m' });
      expect(ingress['spec'].tls).toEqual([
        { secretName: 'turso-tls', hosts: ['*.db.example.com', 'api.db.example.com'] },
      ]);
    });

    it('are routes of a Gateway', async () => {
      const manifests = await manifestsOf('gateway');
      const route = named(manifests, 'HTTPRoute', 'release-turso-byoc-data');
      expect(route['spec']).toMatchObject({
        parentRefs: [{ name: 'shared', namespace: 'gateways' }],
        hostnames: ['*.db.example.com'],
        rules: [{ backendRefs: [{ name: 'release-turso-byoc-data', port: 8080 }] }],
      });
      expect(named(manifests, 'HTTPRoute', 'release-turso-byoc-control')['spec'].hostnames).toEqual([
        'platform.example.com',
      ]);
    });

    it('never lead to the admin port', async () => {
      for (const name of ['irsa-alb', 'nginx', 'gateway']) {
        const ways = (await manifestsOf(name)).filter(({ kind }) => kind === 'Ingress' || kind === 'HTTPRoute');
        expect(ways.length).toBeGreaterThan(0);
        expect(JSON.stringify(ways)).not.toMatch(/admin|8082/);
      }
    });
  });

  describe('the network', () => {
    it('is denied to every pod of the release but for names', async () => {
      const deny = named(await manifestsOf('standard'), 'NetworkPolicy', 'release-turso-byoc-default-deny')['spec'];
      expect(deny.podSelector.matchLabels).not.toHaveProperty('app.kubernetes.io/component');
      expect(deny.policyTypes).toEqual(['Ingress', 'Egress']);
      expect(deny.ingress).toBeUndefined();
      expect(deny.egress).toEqual([
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
      ]);
    });

    const peersAt = (policy: Manifest, port: number): any[] | undefined =>
      policy['spec'].ingress.find(({ ports }: any) => ports[0].port === port).from;

    it('leads to the admin port from the planes, and from who collects metrics, only', async () => {
      const policy = named(await manifestsOf('monitoring'), 'NetworkPolicy', 'release-turso-byoc-data');
      expect(
        peersAt(policy, 8082)!.map(
          ({ podSelector, namespaceSelector }) =>
            podSelector?.matchLabels['app.kubernetes.io/component'] ??
            namespaceSelector.matchLabels['kubernetes.io/metadata.name'],
        ),
      ).toEqual(['data', 'control', 'test', 'monitoring']);
    });

    it('leads to the SQL port from anybody, or from who is named and the release itself', async () => {
      const open = named(await manifestsOf('standard'), 'NetworkPolicy', 'release-turso-byoc-data');
      expect(peersAt(open, 8080)).toBeUndefined();
      const narrow = named(await manifestsOf('gateway'), 'NetworkPolicy', 'release-turso-byoc-data');
      expect(peersAt(narrow, 8080)).toHaveLength(4);
    });

    it('leads out to AWS, but not to the metadata of the machine; without AWS nowhere', async () => {
      const out = JSON.stringify(
        named(await manifestsOf('standard'), 'NetworkPolicy', 'release-turso-byoc-data')['spec'].egress,
      );
      expect(out).toContain('{"cidr":"0.0.0.0/0","except":["169.254.0.0/16"]}');
      expect(out).toContain('169.254.170.23/32');
      const narrow = named(await manifestsOf('tuned'), 'NetworkPolicy', 'turso-data');
      expect(JSON.stringify(narrow['spec'].egress)).toContain('{"cidr":"10.0.0.0/16"}');
      const local = named(await manifestsOf('local'), 'NetworkPolicy', 'release-turso-byoc-data');
      expect(JSON.stringify(local['spec'].egress)).not.toContain('ipBlock');
    });

    it('leads from both planes to the collectors of traces that are named, which their settings name too', async () => {
      const manifests = await manifestsOf('tuned');
      const tracing = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'tracing' } } };
      for (const plane of ['data', 'control'] as const) {
        const { egress } = named(manifests, 'NetworkPolicy', `turso-${plane}`)['spec'];
        expect(egress).toContainEqual({ to: [tracing] });
        expect(named(manifests, 'ConfigMap', `turso-${plane}`)['data']).toMatchObject({
          OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.tracing:4318',
          OTEL_TRACES_SAMPLER_ARG: '0.1',
        });
        const standard = await manifestsOf('standard');
        expect(named(standard, 'NetworkPolicy', `release-turso-byoc-${plane}`)['spec'].egress).toHaveLength(
          egress.length - 1,
        );
        expect(JSON.stringify(named(standard, 'ConfigMap', `release-turso-byoc-${plane}`))).not.toContain('OTEL_');
      }
    });

    it('is left alone where the values say so', async () => {
      expect(ofKind(await manifestsOf('open'), 'NetworkPolicy')).toEqual([]);
    });
  });

  describe('secrets', () => {
    it('are made and kept only where the values say so', async () => {
      expect(ofKind(await manifestsOf('standard'), 'Secret')).toEqual([]);
      const [secret, ...more] = ofKind(await manifestsOf('open'), 'Secret');
      expect(more).toEqual([]);
      expect(secret!.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
      const decoded = (key: string): string => Buffer.from(secret!['data'][key] as string, 'base64').toString();
      expect(decoded('admin-credential')).toMatch(/^[A-Za-z0-9]{48}$/);
      expect(decoded('signing-key')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    });
  });

  describe('metrics', () => {
    it('that alarms and dashboards ask for are metrics of the two planes', async () => {
      const manifests = await manifestsOf('monitoring');
      const asked = JSON.stringify([
        named(manifests, 'PrometheusRule', 'release-turso-byoc'),
        named(manifests, 'ConfigMap', 'release-turso-byoc-dashboards'),
      ]);
      const text = (await new Metrics().expose()).text + (await new ControlMetrics().expose()).text;
      const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, metric]) => metric));
      const names = [...asked.matchAll(/turso_byoc_[a-z_]+/g)].map(([metric]) =>
        metric.replace(/(?<=_seconds|_reads)_(bucket|count)$/, ''),
      );
      expect(names.length).toBeGreaterThan(20);
      expect([...new Set(names)].filter((metric) => !known.has(metric))).toEqual([]);
      // And the other way round: a metric that nobody looks at would be missed.
      expect([...known].filter((metric) => !names.includes(metric!))).toEqual([]);
    });

    it('are collected from the admin port, with the credential', async () => {
      const manifests = await manifestsOf('monitoring');
      const monitor = named(manifests, 'ServiceMonitor', 'release-turso-byoc-data');
      const service = named(manifests, 'Service', 'release-turso-byoc-data-admin');
      expect(service.metadata.labels).toMatchObject(monitor['spec'].selector.matchLabels);
      expect(monitor['spec'].endpoints).toMatchObject([
        { port: 'admin', path: '/admin/v1/metrics', authorization: { credentials: { name: 'turso-secrets' } } },
      ]);
      const ofControl = named(manifests, 'ServiceMonitor', 'release-turso-byoc-control');
      const controlService = named(manifests, 'Service', 'release-turso-byoc-control-metrics');
      expect(controlService.metadata.labels).toMatchObject(ofControl['spec'].selector.matchLabels);
      expect(ofControl['spec'].endpoints).toMatchObject([
        { port: 'metrics', path: '/metrics', authorization: { credentials: { name: 'turso-secrets' } } },
      ]);
      const { containers } = podOf(named(manifests, 'Deployment', 'release-turso-byoc-control'));
      expect(containers[0].ports).toContainEqual({ name: 'metrics', containerPort: 8083 });
      expect(monitor.metadata.labels).toHaveProperty('release', 'kube-prometheus-stack');
      expect(ofKind(await manifestsOf('standard'), 'ServiceMonitor')).toEqual([]);
    });

    it('are shown by dashboards that are JSON', async () => {
      const shown = named(await manifestsOf('monitoring'), 'ConfigMap', 'release-turso-byoc-dashboards')['data'];
      expect(Object.keys(shown as object).sort()).toEqual(['control-plane.json', 'data-nodes.json']);
      for (const [name, text] of Object.entries(shown as Record<string, string>)) {
        const file = await readFile(join(chartDirectory, 'files/dashboards', name), 'utf8');
        expect(JSON.parse(text)).toEqual(JSON.parse(file));
      }
    });
  });

  describe('a cluster without AWS', () => {
    it('has one data node, replaced before the next one starts, and the control plane beside it', async () => {
      const manifests = await manifestsOf('local');
      const data = named(manifests, 'Deployment', 'release-turso-byoc-data');
      expect(data['spec']).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
      const control = podOf(named(manifests, 'Deployment', 'release-turso-byoc-control'));
      const [beside] = control.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution;
      expect(beside.labelSelector.matchLabels).toEqual(data['spec'].selector.matchLabels);
      expect(ofKind(manifests, 'PodDisruptionBudget')).toEqual([]);
    });

    it('keeps what the control plane must not see on another volume', async () => {
      const manifests = await manifestsOf('local');
      const claims = (component: string): string[] =>
        podOf(named(manifests, 'Deployment', `release-turso-byoc-${component}`)).volumes.flatMap(
          (volume: any) => volume.persistentVolumeClaim?.claimName ?? [],
        );
      expect(claims('data')).toEqual(['release-turso-byoc-data', 'release-turso-byoc-control-store']);
      expect(claims('control')).toEqual(['release-turso-byoc-control-store']);
    });
  });

  describe('helm test', () => {
    it('runs the smoke test of the control plane image, with what a control plane has', async () => {
      for (const name of ['standard', 'local']) {
        const manifests = await manifestsOf(name);
        const pod = named(manifests, 'Pod', 'release-turso-byoc-smoke-test');
        const control = podOf(named(manifests, 'Deployment', 'release-turso-byoc-control'));
        expect(pod.metadata.annotations).toHaveProperty(['helm.sh/hook'], 'test');
        const [container] = pod['spec'].containers;
        expect(container.command.at(-1)).toBe('http://release-turso-byoc-control:8081');
        expect([container.image, container.envFrom, container.volumeMounts, pod['spec'].volumes]).toEqual([
          control.containers[0].image,
          control.containers[0].envFrom,
          control.containers[0].volumeMounts,
          control.volumes,
        ]);
      }
    });
  });

  describe('images', () => {
    it('are named by digest where there is one, else by version', async () => {
      const imageOf = (manifests: Manifest[]): string =>
        podOf(named(manifests, 'Deployment', 'release-turso-byoc-data')).containers[0].image as string;
      expect(imageOf(await manifestsOf('irsa-alb'))).toBe(
        `111122223333.dkr.ecr.eu-central-1.amazonaws.com/turso-byoc/data-node@sha256:${'1'.repeat(64)}`,
      );
      expect(imageOf(await manifestsOf('standard'))).toMatch(/^turso-byoc\/data-node:\d+\.\d+\.\d+$/);
    });
  });

  describe('NOTES.txt', () => {
    it.each([
      ['standard', ['port-forward', 's3://example-data/prod']],
      ['irsa-alb', ['https://api.db.example.com', 'libsql://<database>-<organization>.db.example.com']],
      ['local', ['not for data that matters']],
    ])('of %s says how to go on', async (name, says) => {
      // Helm shows notes only of an installation: a copy of the chart renders them as a file of its own.
      const copy = await mkdtemp(join(tmpdir(), 'with-notes-'));
      await cp(chartDirectory, copy, { recursive: true });
      await rename(join(copy, 'templates/NOTES.txt'), join(copy, 'files/notes.txt'));
      const template = '{{ dict "notes" (tpl (.Files.Get "files/notes.txt") .) | toJson }}\n';
      await writeFile(join(copy, 'templates/notes.yaml'), template);
      const argv = ['template', 'release', copy, '--namespace', 'turso', '-f', fileOf(name)];
      const { stdout } = await run(helm, [...argv, '--show-only', 'templates/notes.yaml']);
      await rm(copy, { recursive: true });
      const [{ notes }] = parseManifests(stdout) as any[];
      for (const text of ['helm test release', 'platform-token-command.js', ...says]) expect(notes).toContain(text);
    });
  });
}
