/**
 * Runs the workload of values.local.yaml, as Helm renders it, with `podman kube play`: a database is created and written, the
 * data node's pod is killed and made anew, and everything acknowledged is read back.
 *
 * podman plays Deployments, ConfigMaps and volume claims. Services it does not: the control plane finds the data node by an
 * entry in its hosts file instead. Probes, policies and everything else of Kubernetes are not tried here.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments, stringify } from 'yaml';

export async function playLocalWorkload({
  helm,
  dataImage,
  controlImage,
  directory,
  name,
  podman,
  verdict,
  newDatabase,
  run,
  platformToken,
}) {
  const owner = { 'volume.podman.io/uid': '65532', 'volume.podman.io/gid': '65532' };
  const manifests = parseAllDocuments(render(helm, directory, name, dataImage, controlImage, owner)).flatMap(
    (document) => document.toJSON() ?? [],
  );
  // podman 4.3 hands out the values of a Secret as they are encoded, or crashes: it gets them in a volume.
  for (const volume of manifests.flatMap(({ spec }) => spec?.template?.spec.volumes ?? [])) {
    if (volume.secret) volume.persistentVolumeClaim = { claimName: volume.secret.secretName };
    delete volume.secret;
  }
  // And of an emptyDir it makes a volume of that name, for whoever else has one: it gets a name of its own.
  const cache = `${name}-cache`;
  for (const { spec } of manifests.filter(({ kind }) => kind === 'Deployment')) {
    const { volumes, containers } = spec.template.spec;
    // Which podman leaves to systemd's timers.
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) delete containers[0][probe];
    for (const each of [...volumes, ...containers[0].volumeMounts]) if (each.name === 'cache') each.name = cache;
  }
  const of = (kind, suffix = '') =>
    manifests.filter((each) => each.kind === kind && each.metadata.name.endsWith(suffix));
  const play = (file, objects) => {
    const path = join(directory, file);
    writeFileSync(path, objects.map((object) => stringify(object)).join('---\n'));
    podman('kube', 'play', '--quiet', '--network', name, path);
  };
  const [data, control] = [of('Deployment', '-data')[0], of('Deployment', '-control')[0]];
  const pods = [data, control].map(({ metadata }) => `${metadata.name}-pod-0`);
  const containerOf = (deployment) => {
    const { metadata, spec } = deployment;
    return `${metadata.name}-pod-0-${spec.template.spec.containers[0].name}`;
  };
  const playData = () => play('data.yaml', [...of('ConfigMap', '-data'), data]);

  podman('network', 'create', name);
  try {
    play('volumes.yaml', of('PersistentVolumeClaim'));
    for (const secret of of('Secret')) makeVolume(podman, secret);
    playData();
    let dataAddress = await ready(podman, name, pods[0], 8080);
    control.spec.template.spec.hostAliases = [
      { ip: dataAddress, hostnames: [data.metadata.name, `${data.metadata.name}-admin`] },
    ];
    play('control.yaml', [...of('ConfigMap', '-control'), control]);
    const controlAddress = await ready(podman, name, pods[1], 8081);
    const token = platformToken(containerOf(control));
    const dataUrl = (address) => `http://${address}:8080`;
    const database = await newDatabase(`http://${controlAddress}:8081`, token, dataUrl(dataAddress), 'played');
    await run(database, 'CREATE TABLE t (n)');
    for (let n = 0; n < 20; n += 1) await run(database, `INSERT INTO t VALUES (${n})`);

    podman('pod', 'kill', '--signal', 'SIGKILL', pods[0]);
    podman('pod', 'rm', '--force', pods[0]);
    podman('volume', 'rm', '--force', cache);
    playData();
    dataAddress = await ready(podman, name, pods[0], 8080);
    const path = new URL(database.url).pathname;
    const [[count]] = await run({ ...database, url: `${dataUrl(dataAddress)}${path}` }, 'SELECT count(*) FROM t');
    verdict(`the chart's local workload: of 20 rows ${count} are there after its pod was killed`, count === '20');
  } finally {
    for (const pod of pods) quietly(podman, 'pod', 'rm', '--force', pod);
    const volumes = [...of('PersistentVolumeClaim'), ...of('Secret')].map(({ metadata }) => metadata.name);
    for (const volume of [...volumes, cache]) quietly(podman, 'volume', 'rm', '--force', volume);
    quietly(podman, 'network', 'rm', '--force', name);
  }
}

function render(helm, directory, name, dataImage, controlImage, annotations) {
  const chart = new URL('../charts/turso-byoc', import.meta.url).pathname;
  const image = (text) => {
    const at = text.lastIndexOf(':');
    return { repository: text.slice(0, at), tag: text.slice(at + 1) };
  };
  const values = {
    fullnameOverride: name,
    images: { dataNode: image(dataImage), controlPlane: image(controlImage), pullPolicy: 'Never' },
    local: { annotations },
  };
  const file = join(directory, 'values.json');
  writeFileSync(file, JSON.stringify(values));
  return execFileSync(
    helm,
    ['template', 'played', chart, '--values', join(chart, 'values.local.yaml'), '--values', file],
    {
      encoding: 'utf8',
    },
  );
}

/** A volume with the values of a Secret, as files that the images' user may read. */
function makeVolume(podman, { metadata, data }) {
  podman('volume', 'create', metadata.name);
  const at = podman('volume', 'inspect', '--format', '{{.Mountpoint}}', metadata.name);
  for (const [key, value] of Object.entries(data)) {
    writeFileSync(join(at, key), Buffer.from(value, 'base64'), { mode: 0o440 });
    chownSync(join(at, key), 65532, 65532);
  }
}

async function ready(podman, network, pod, port) {
  const infra = podman('pod', 'inspect', '--format', '{{.InfraContainerID}}', pod);
  const address = podman('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, infra);
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
    const answer = await fetch(`http://${address}:${port}/ready`).catch(() => undefined);
    if (answer?.status === 200) return address;
    await delay(100);
  }
  throw new Error(`${pod} does not become ready:\n${podman('pod', 'logs', pod)}`);
}

function quietly(podman, ...argv) {
  try {
    podman(...argv);
  } catch {
    // It was never made, or went with another.
  }
}
