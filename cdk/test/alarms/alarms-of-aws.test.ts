/**
 * The alarms over what AWS itself measures go off: the condition is caused against servers that really run, what AWS would
 * measure of them is measured as its documentation defines it, and the alarms judge it that are in the templates. All other
 * alarms are tried by the data plane's tests.
 */
import { memoryUse } from '@turso-byoc/data-plane/bench/processes/memory.js';
import { cpuSeconds } from '@turso-byoc/data-plane/bench/processes/cpu-time.js';
import { descendants } from '@turso-byoc/data-plane/bench/processes/process-tree.js';
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
// The built files: the control plane exports nothing.
import { systemClock } from '../../../control-plane/dist/clock.js';
import { readConfig } from '../../../control-plane/dist/config.js';
import { startControlPlane } from '../../../control-plane/dist/control-plane.js';
import { DataNode, sharedLease } from '../../../data-plane/test/support/data-node.js';
import { resourcesOf, type LocatedResource } from '../../compliance/assembly/synthesized-app.js';
import { synthesizedExample, removeSynthesized } from '../support/synthesized-example.js';
import { BalancedTargets, type TargetGroupSettings } from './balanced-targets.js';
import { DeployedAlarms, stateOf, type DeployedAlarm } from './deployed-alarms.js';

/** A deployment with the smallest tasks that there are, and two nodes at least. */
const { app } = synthesizedExample('dev', {
  dataNodes: { cpuUnits: 512, memoryMiB: 1024, cacheGiB: 21, minimum: 2, maximum: 3, commitWindowMs: 100 },
});
const deployed = new DeployedAlarms(app);
const fired = new Set<string>();

const located = (type: string, property: string, end: string): LocatedResource => {
  const found = resourcesOf(app, type).find((each) => String(deployed.property(each, property)).endsWith(end));
  if (!found) throw new Error(`no ${type} is called …${end}`);
  return found;
};
const nodesGroup = located('AWS::ElasticLoadBalancingV2::TargetGroup', 'Name', '-nodes');
const controlGroup = located('AWS::ElasticLoadBalancingV2::TargetGroup', 'Name', '-control');
const balancer = located('AWS::ElasticLoadBalancingV2::LoadBalancer', 'Type', 'application');
const settingsOf = (group: LocatedResource): TargetGroupSettings => ({
  path: String(deployed.property(group, 'HealthCheckPath')),
  status: Number((deployed.property(group, 'Matcher') as { HttpCode: string }).HttpCode),
  healthyThreshold: Number(deployed.property(group, 'HealthyThresholdCount')),
  unhealthyThreshold: Number(deployed.property(group, 'UnhealthyThresholdCount')),
});
const lastPart = (arn: string, before: string): string => arn.slice(arn.indexOf(before) + before.length);
const dimensionsOf = (group?: LocatedResource): Record<string, string> => ({
  LoadBalancer: lastPart(deployed.ref(balancer), ':loadbalancer/'),
  ...(group && { TargetGroup: `targetgroup/${lastPart(deployed.ref(group), ':targetgroup/')}` }),
});

const times = (value: number | undefined, periods: number) => new Array<number | undefined>(periods).fill(value);

/** The alarm is quiet while the value is `quiet`, and one period before its time, goes off then, and is quiet again at once. */
function goesOff(alarm: DeployedAlarm, quiet: number, caused: number | undefined): void {
  const { name, periods } = alarm;
  const before = times(quiet, periods);
  const states = [before, [...before, ...times(caused, periods - 1)], [...before, ...times(caused, periods)]].map(
    (points) => stateOf(alarm, points),
  );
  expect([name, quiet, caused, ...states]).toEqual([name, quiet, caused, 'OK', 'OK', 'ALARM']);
  expect(stateOf(alarm, [...before, ...times(caused, periods), quiet])).toBe('OK');
  fired.add(name);
}

const only = (name: string): DeployedAlarm => {
  const [alarm, ...more] = deployed.named(name);
  if (!alarm || more.length > 0) throw new Error(`${name} is not one alarm`);
  return alarm;
};

afterAll(removeSynthesized);

describe('alarms over what the load balancer measures', () => {
  let [first, second]: [DataNode, DataNode] = [] as never;
  beforeAll(async () => {
    first = await DataNode.start({
      ...sharedLease,
      TURSO_BYOC_ENGINE_PROCESSES: '1',
      TURSO_BYOC_DURABILITY_TIMEOUT_MS: '1000',
    });
    second = await first.startBeside();
  });
  afterAll(async () => {
    await second.end('SIGKILL');
    await first.dispose();
  });

  it('few-data-nodes, no-data-node, unanswered-requests: one node is killed, then the other', async () => {
    const [few, none, unanswered] = [only('few-data-nodes'), only('no-data-node'), only('unanswered-requests')];
    for (const alarm of [few, none]) {
      expect(alarm.metric).toBe('AWS/ApplicationELB/HealthyHostCount Maximum');
      expect(alarm.dimensions).toEqual(dimensionsOf(nodesGroup));
    }
    expect(unanswered.metric).toBe('AWS/ApplicationELB/HTTPCode_ELB_5XX_Count Sum');
    expect(unanswered.dimensions).toEqual(dimensionsOf());
    const targets = new BalancedTargets(settingsOf(nodesGroup), [first.url, second.url]);
    const requests = async (): Promise<number> => {
      const before = targets.unanswered;
      await Promise.all(Array.from({ length: 30 }, async () => targets.request('/version')));
      return targets.unanswered - before;
    };

    await targets.check();
    const both = targets.healthy;
    const answered = await requests();
    await second.end('SIGKILL');
    await targets.check();
    goesOff(few, both, targets.healthy);
    expect(stateOf(none, times(targets.healthy, none.periods))).toBe('OK');
    // Those that go to the one that is left are answered.
    expect(await requests()).toBe(0);

    const one = targets.healthy;
    await first.end('SIGKILL');
    await targets.check();
    goesOff(none, one, targets.healthy);
    goesOff(none, one, undefined);
    goesOff(unanswered, answered, await requests());

    await first.restart();
    await second.restart();
    await targets.check();
    expect([targets.healthy, await requests()]).toEqual([both, 0]);
  });

  it('data-plane-rollback, control-plane-rollback, no-control-plane: the store is gone, then the nodes with the catalog', async () => {
    const control = await startControlPlane({
      config: readConfig({
        TURSO_BYOC_API_PORT: '0',
        TURSO_BYOC_METRICS_PORT: '0',
        TURSO_BYOC_DATA_URL: first.url,
        TURSO_BYOC_ADMIN_URL: first.adminUrl,
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: first.credentialFile,
        TURSO_BYOC_SIGNING_KEY_SEED: randomBytes(32).toString('hex'),
        TURSO_BYOC_CONTROL_STORE_DIR: join(first.storeDirectory, 'control'),
        TURSO_BYOC_HOSTNAME_SUFFIX: 'localhost:8080',
      }),
      clock: systemClock,
      logger: pino({ level: 'silent' }),
      signal: new AbortController().signal,
    });
    const { uuid } = await control.localUser();
    const token = await control.platformTokens.ensure(uuid, 'tests', undefined, 'launcher');
    const database = await first.createDatabase('served');
    const body = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql: 'CREATE TABLE IF NOT EXISTS t (a)' } }] });
    const planes = [
      {
        rollback: only('data-plane-rollback'),
        group: nodesGroup,
        targets: new BalancedTargets(settingsOf(nodesGroup), [first.url, second.url]),
        path: '/db/served-test/v3/pipeline',
        init: { method: 'POST', headers: { authorization: `Bearer ${database.token}` }, body },
      },
      {
        rollback: only('control-plane-rollback'),
        group: controlGroup,
        targets: new BalancedTargets(settingsOf(controlGroup), [`http://127.0.0.1:${control.apiPort}`]),
        path: '/v1/organizations',
        init: { headers: { authorization: `Bearer ${token}` } },
      },
    ] as const;
    const failed = async ({ targets, path, init }: (typeof planes)[number]): Promise<number> => {
      const before = targets.failed;
      await Promise.all(Array.from({ length: 30 }, async () => targets.request(path, init)));
      return targets.failed - before;
    };
    for (const { targets } of planes) await targets.check();
    const before = await Promise.all(planes.map(failed));

    await rename(first.storeDirectory, `${first.storeDirectory}-away`);
    await writeFile(first.storeDirectory, '');
    for (const [at, plane] of planes.entries()) {
      expect(plane.rollback.metric).toBe('AWS/ApplicationELB/HTTPCode_Target_5XX_Count Sum');
      expect(plane.rollback.dimensions).toEqual(dimensionsOf(plane.group));
      // Until leases are over, and what waits for the store is given up.
      let caused = 0;
      for (let round = 0; round < 60 && caused < 30; round++) {
        caused = await failed(plane);
        await delay(200);
      }
      goesOff(plane.rollback, before[at] ?? NaN, caused);
      await Promise.all([first, second].map(async (node) => node.end('SIGKILL')));
    }
    await rm(first.storeDirectory);
    await rename(`${first.storeDirectory}-away`, first.storeDirectory);

    const alarm = only('no-control-plane');
    expect(alarm.metric).toBe('AWS/ApplicationELB/HealthyHostCount Maximum');
    expect(alarm.dimensions).toEqual(dimensionsOf(controlGroup));
    const { targets } = planes[1];
    const healthy = targets.healthy;
    await control.stop();
    await targets.check();
    goesOff(alarm, healthy, targets.healthy);
  });
});

describe('alarms over what the container service measures', () => {
  let node: DataNode;
  beforeEach(async () => {
    node = await DataNode.start({
      TURSO_BYOC_ENGINE_PROCESSES: '2',
      TURSO_BYOC_STATEMENT_DEADLINE_MS: '60000',
      TURSO_BYOC_ENGINE_MEMORY_MIB: '8192',
    });
  });
  afterEach(async () => node.dispose());

  const task = located('AWS::ECS::TaskDefinition', 'Family', '-data-node');
  const pids = (): number[] => [node.pid, ...descendants(node.pid)];

  /** Of an alarm for each service: that of data nodes; every one is over a service that there is. */
  function ofDataNodes(name: string, metric: string): DeployedAlarm {
    const services = resourcesOf(app, 'AWS::ECS::Service').map((service) => ({
      ClusterName: lastPart(String(deployed.property(service, 'Cluster')), ':cluster/'),
      ServiceName: deployed.property(service, 'ServiceName'),
    }));
    const found = deployed.named(name).find((alarm) => alarm.dimensions['ServiceName'] === 'data-node-all');
    if (!found) throw new Error(`no alarm ${name} is over data nodes`);
    for (const alarm of deployed.named(name)) {
      expect(alarm.metric).toBe(metric);
      expect(services).toContainEqual(alarm.dimensions);
      // Nothing tells it from the one that goes off but its service.
      const { periods, periodSeconds, threshold, isSilenceBeyond } = found;
      expect(alarm).toMatchObject({ periods, periodSeconds, threshold, isSilenceBeyond });
      if (alarm.name !== found.name) fired.add(alarm.name);
    }
    return found;
  }

  it('memory: a statement makes a text of hundreds of megabytes', async () => {
    const alarm = ofDataNodes('memory', 'AWS/ECS/MemoryUtilization Maximum');
    const taskBytes = Number(deployed.property(task, 'Memory')) * 2 ** 20;
    const used = (): number => (memoryUse(pids()).proportionalBytes / taskBytes) * 100;
    const database = await node.createDatabase('large');
    await node.run(database, 'SELECT 1');
    const quiet = used();
    const sql = 'SELECT length(group_concat(hex(zeroblob(1000000)))) FROM generate_series(1, 450)';
    const statement = node.run(database, sql);
    let most = 0;
    for (let isOver = false; !isOver; most = Math.max(most, used())) {
      isOver = await Promise.race([statement.then(() => true), delay(20, false)]);
    }
    expect(await statement).toEqual([['900000449']]);
    goesOff(alarm, quiet, most);
  });

  it('cpu: statements that never end', async () => {
    const alarm = ofDataNodes('cpu', 'AWS/ECS/CPUUtilization Average');
    const cpus = Number(deployed.property(task, 'Cpu')) / 1024;
    const measure = async (): Promise<number> => {
      const [before, begunAt] = [cpuSeconds(pids()), performance.now()];
      await delay(2_000);
      return ((cpuSeconds(pids()) - before) / ((performance.now() - begunAt) / 1_000) / cpus) * 100;
    };
    const databases = [await node.createDatabase('one'), await node.createDatabase('two')];
    for (const database of databases) await node.run(database, 'SELECT 1');
    const quiet = await measure();
    const sql = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n';
    const running = databases.map(async (database) => node.run(database, sql).catch(() => undefined));
    const busy = await measure();
    goesOff(alarm, quiet, busy);
    await node.end('SIGKILL');
    await Promise.all(running);
  });
});

it('every alarm over what AWS measures went off', () => {
  const ofAws = deployed.all.filter(({ metric }) => metric.startsWith('AWS/'));
  expect([...fired].sort()).toEqual(ofAws.map(({ name }) => name).sort());
});

it('an alarm needs every one of its periods, and silence is what it is said to be', () => {
  const alarm: DeployedAlarm = {
    name: 'a',
    metric: 'm',
    dimensions: {},
    periodSeconds: 60,
    periods: 3,
    threshold: 5,
    isBeyond: (value) => value > 5,
    isSilenceBeyond: false,
  };
  const state = (...points: (number | undefined)[]) => stateOf(alarm, points);
  expect([state(6, 6), state(6, 6, 6), state(6, 5, 6), state(6, 6, 6, 5), state(6, undefined, 6)]).toEqual([
    'OK',
    'ALARM',
    'OK',
    'OK',
    'OK',
  ]);
  expect(stateOf({ ...alarm, isSilenceBeyond: true }, times(undefined, 3))).toBe('ALARM');
});
