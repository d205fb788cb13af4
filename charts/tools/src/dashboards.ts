/** The dashboards of the chart, for Grafana. Every metric of both planes is on one of them. */

interface Panel {
  readonly title: string;
  /** Of Grafana: `reqps`, `s`, `bytes`, `Bps`, `percentunit`, `short`. */
  readonly unit: string;
  /** PromQL and the name of each of its series. */
  readonly shows: readonly (readonly [expr: string, legend: string])[];
}

const inNamespace = 'namespace=~"$namespace"';
const of = (metric: string, ...where: string[]): string => `${metric}{${[...where, inNamespace].join(',')}}`;
const by = (labels: string): string => (labels === '' ? '' : ` by (${labels}) `);
const rate = (metric: string, labels = '', ...where: string[]): string =>
  `sum${by(labels)}(rate(${of(metric, ...where)}[$__rate_interval]))`;
const increase = (metric: string, labels = ''): string => `sum${by(labels)}(increase(${of(metric)}[$__rate_interval]))`;
const quantile = (share: number, histogram: string, labels = ''): string => {
  const kept = ['le', ...(labels === '' ? [] : [labels])].join(', ');
  return `histogram_quantile(${share}, sum by (${kept}) (rate(${of(`${histogram}_bucket`)}[$__rate_interval])))`;
};
const halfAndMost = (histogram: string): Panel['shows'] => [
  [quantile(0.5, histogram), 'half'],
  [quantile(0.99, histogram), '99 %'],
];
const total = (metric: string, labels = ''): string => `sum${by(labels)}(${of(metric)})`;
const highest = (metric: string, labels = ''): string => `max${by(labels)}(${of(metric)})`;

const data = 'turso_byoc_';
const dataPanels: readonly Panel[] = [
  { title: 'Requests a second', unit: 'reqps', shows: [[rate(`${data}requests_total`, 'kind'), '{{kind}}']] },
  {
    title: 'Requests that failed on the side of the service',
    unit: 'reqps',
    shows: [[rate(`${data}requests_total`, 'kind', 'status="5xx"'), '{{kind}}']],
  },
  { title: 'Time of a request', unit: 's', shows: halfAndMost(`${data}request_duration_seconds`) },
  { title: 'Errors by code', unit: 'reqps', shows: [[rate(`${data}errors_total`, 'code'), '{{code}}']] },
  { title: 'Credentials refused', unit: 'reqps', shows: [[rate(`${data}auth_failures_total`, 'code'), '{{code}}']] },
  {
    title: 'Requests under way, and those that wait for an engine process',
    unit: 'short',
    shows: [
      [total(`${data}requests_under_way`), 'under way'],
      [total(`${data}engine_queue_length`), 'waiting'],
    ],
  },
  {
    title: 'Requests passed on to other nodes',
    unit: 'reqps',
    shows: [[rate(`${data}forwarded_requests_total`, 'outcome'), '{{outcome}}']],
  },
  {
    title: 'Open databases, streams, WebSockets',
    unit: 'short',
    shows: [
      [total(`${data}open_databases`, 'pod'), 'databases on {{pod}}'],
      [total(`${data}open_streams`), 'streams'],
      [total(`${data}web_socket_connections`), 'WebSockets'],
    ],
  },
  {
    title: 'Databases opened a second',
    unit: 'ops',
    shows: [[rate(`${data}database_opens_total`, 'outcome'), '{{outcome}}']],
  },
  { title: 'Time to open a database', unit: 's', shows: halfAndMost(`${data}database_open_seconds`) },
  {
    title: 'Reads of the store to open a database',
    unit: 'short',
    shows: halfAndMost(`${data}database_open_reads`),
  },
  {
    title: 'Engine processes, and those started again',
    unit: 'short',
    shows: [
      [total(`${data}engine_processes`, 'purpose'), '{{purpose}}'],
      [increase(`${data}engine_restarts_total`, 'cause'), 'again: {{cause}}'],
    ],
  },
  {
    title: 'Commits and log objects a second',
    unit: 'ops',
    shows: [
      [rate(`${data}commits_total`), 'commits'],
      [rate(`${data}commit_log_objects_total`), 'log objects'],
    ],
  },
  { title: 'Commit log: bytes a second', unit: 'Bps', shows: [[rate(`${data}commit_log_bytes_total`), 'bytes']] },
  { title: 'Commit window: time before the store', unit: 's', shows: halfAndMost(`${data}commit_window_seconds`) },
  { title: 'Commit log: time in the store', unit: 's', shows: halfAndMost(`${data}commit_store_seconds`) },
  {
    title: 'Age of the oldest commit that is not durable',
    unit: 's',
    shows: [[highest(`${data}commit_lag_seconds`, 'pod'), '{{pod}}']],
  },
  {
    title: 'Bytes of commits that wait, and of those that no generation holds',
    unit: 'bytes',
    shows: [
      [total(`${data}commit_pending_bytes`), 'wait for the store'],
      [total(`${data}unfolded_bytes`), 'not folded'],
    ],
  },
  {
    title: 'Fragments not folded',
    unit: 'short',
    shows: [[total(`${data}unfolded_fragments`, 'pod'), '{{pod}}']],
  },
  {
    title: 'Folds',
    unit: 'short',
    shows: [
      [increase(`${data}folds_total`, 'outcome'), '{{outcome}}'],
      [quantile(0.99, `${data}fold_seconds`), 'seconds, 99 %'],
    ],
  },
  {
    title: 'Garbage',
    unit: 'short',
    shows: [
      [increase(`${data}collections_total`, 'outcome'), 'databases: {{outcome}}'],
      [increase(`${data}collected_objects_total`), 'objects deleted'],
    ],
  },
  {
    title: 'Store: requests a second',
    unit: 'reqps',
    shows: [[rate(`${data}store_requests_total`, 'operation, outcome'), '{{operation}} {{outcome}}']],
  },
  {
    title: 'Store: time of a request, 99 %',
    unit: 's',
    shows: [[quantile(0.99, `${data}store_request_duration_seconds`, 'operation'), '{{operation}}']],
  },
  {
    title: 'Store: bytes a second',
    unit: 'Bps',
    shows: [
      [rate(`${data}store_bytes_total`, 'direction'), '{{direction}}'],
      [rate(`${data}sealed_bytes_total`, 'objects'), 'sealed: {{objects}}'],
      [rate(`${data}synced_bytes_total`), 'to and from synced copies'],
    ],
  },
  {
    title: 'Usage: rows and statements a second',
    unit: 'ops',
    shows: [
      [rate(`${data}rows_total`, 'direction'), 'rows {{direction}}'],
      [rate(`${data}statements_total`), 'statements'],
    ],
  },
  {
    title: 'Zones of the log that fail, and what they miss',
    unit: 'short',
    shows: [
      [highest(`${data}log_zone_failing`, 'zone'), '{{zone}} fails'],
      [rate(`${data}log_zone_events_total`, 'zone, event'), '{{zone}}: {{event}}'],
    ],
  },
  {
    title: 'Key service: requests a second',
    unit: 'reqps',
    shows: [[rate(`${data}key_requests_total`, 'operation, outcome'), '{{operation}} {{outcome}}']],
  },
  {
    title: 'Key service: time of a request, 99 %',
    unit: 's',
    shows: [[quantile(0.99, `${data}key_request_duration_seconds`, 'operation'), '{{operation}}']],
  },
  {
    title: 'Keys in use, and databases closed for theirs',
    unit: 'short',
    shows: [
      [total(`${data}keys_in_use`), 'keys'],
      [increase(`${data}databases_closed_for_key_total`, 'cause'), 'closed: {{cause}}'],
    ],
  },
  {
    title: 'Leases: attempts to renew',
    unit: 'ops',
    shows: [[rate(`${data}lease_renewals_total`, 'outcome'), '{{outcome}}']],
  },
  {
    title: 'Nodes condemned, epochs ended',
    unit: 'short',
    shows: [
      [increase(`${data}nodes_condemned_total`), 'condemned'],
      [increase(`${data}epochs_ended_total`), 'ended'],
      [increase(`${data}epochs_fenced_total`), 'against its will'],
    ],
  },
  {
    title: 'Warnings of the log',
    unit: 'short',
    shows: [[increase(`${data}warnings_total`, 'event'), '{{event}}']],
  },
  {
    title: 'Usage: batches that nobody collected',
    unit: 'short',
    shows: [[highest(`${data}usage_uncollected_batches`, 'pod'), '{{pod}}']],
  },
  {
    title: 'Traces: spans a second',
    unit: 'short',
    shows: [[rate(`${data}trace_spans_total`, 'outcome'), '{{outcome}}']],
  },
];

/** Of both planes. */
const processPanels: readonly Panel[] = [
  {
    title: 'Memory of the processes',
    unit: 'bytes',
    shows: [[total('turso_byoc_process_resident_bytes', 'pod, process'), '{{pod}} {{process}}']],
  },
  {
    title: 'CPU of the processes, in cores',
    unit: 'short',
    shows: [[rate('turso_byoc_process_cpu_seconds_total', 'pod, process'), '{{pod}} {{process}}']],
  },
  {
    title: 'Open files of the processes',
    unit: 'short',
    shows: [[total('turso_byoc_process_open_files', 'pod, process'), '{{pod}} {{process}}']],
  },
  {
    title: 'Event loops: share of the time they work',
    unit: 'percentunit',
    shows: [[highest('turso_byoc_event_loop_utilization', 'pod'), '{{pod}}']],
  },
  {
    title: 'Event loops: how long a task waits',
    unit: 's',
    shows: [[highest('turso_byoc_event_loop_lag_seconds', 'pod'), '{{pod}}']],
  },
];

const control = 'turso_byoc_control_';
const controlPanels: readonly Panel[] = [
  {
    title: 'Calls a second by route',
    unit: 'reqps',
    shows: [[rate(`${control}requests_total`, 'route, method'), '{{method}} {{route}}']],
  },
  {
    title: 'Calls that failed on the side of the service',
    unit: 'reqps',
    shows: [[rate(`${control}requests_total`, 'route, status', 'status=~"5.."'), '{{status}} {{route}}']],
  },
  { title: 'Time of a call', unit: 's', shows: halfAndMost(`${control}request_duration_seconds`) },
  {
    title: 'Errors by code, rate limits among them',
    unit: 'reqps',
    shows: [[rate(`${control}errors_total`, 'code'), '{{code}}']],
  },
  {
    title: 'Catalog: calls a second',
    unit: 'reqps',
    shows: [[rate(`${control}catalogue_calls_total`, 'operation, outcome'), '{{operation}} {{outcome}}']],
  },
  {
    title: 'Catalog: time of a call, 99 %',
    unit: 's',
    shows: [[quantile(0.99, `${control}catalogue_duration_seconds`, 'operation'), '{{operation}}']],
  },
  {
    title: 'Unfinished creations and deletions',
    unit: 'short',
    shows: [
      [highest(`${control}reconciler_backlog`), 'unfinished'],
      [increase(`${control}reconciled_total`, 'outcome'), 'attempts: {{outcome}}'],
    ],
  },
  {
    title: 'Audit log: how long entries wait for their export',
    unit: 's',
    shows: [[highest(`${control}audit_export_lag_seconds`), 'oldest']],
  },
  {
    title: 'Audit log: exports',
    unit: 'short',
    shows: [
      [increase(`${control}audit_exports_total`, 'outcome'), '{{outcome}}'],
      [increase(`${control}audit_exported_entries_total`), 'entries'],
    ],
  },
  {
    title: 'Traces: spans a second',
    unit: 'short',
    shows: [[rate(`${control}trace_spans_total`, 'outcome'), '{{outcome}}']],
  },
  {
    title: 'Usage: collections from data nodes',
    unit: 'short',
    shows: [
      [increase(`${control}usage_collections_total`, 'outcome'), '{{outcome}}'],
      [increase(`${control}usage_batches_total`), 'batches'],
    ],
  },
  {
    title: 'Sign-ins',
    unit: 'short',
    shows: [[increase(`${control}sign_ins_total`, 'outcome'), '{{outcome}}']],
  },
];

/** By the name of their file. */
export const dashboards: ReadonlyMap<string, object> = new Map([
  [
    'data-nodes.json',
    dashboard('Turso BYOC: data nodes', 'turso-byoc-data-nodes', 'turso_byoc_open_databases', [
      ...dataPanels,
      ...processPanels,
    ]),
  ],
  [
    'control-plane.json',
    dashboard('Turso BYOC: control plane', 'turso-byoc-control-plane', `${control}reconciler_backlog`, controlPanels),
  ],
]);

function dashboard(title: string, uid: string, namespacesOf: string, panels: readonly Panel[]): object {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  return {
    title,
    uid,
    schemaVersion: 39,
    version: 2,
    editable: true,
    refresh: '30s',
    tags: ['turso-byoc'],
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus' },
        {
          name: 'namespace',
          type: 'query',
          datasource,
          query: `label_values(${namespacesOf}, namespace)`,
          includeAll: true,
          multi: true,
          refresh: 2,
        },
      ],
    },
    panels: panels.map((panel, index) => ({
      id: index + 1,
      title: panel.title,
      type: 'timeseries',
      datasource,
      gridPos: { h: 8, w: 12, x: (index % 2) * 12, y: Math.floor(index / 2) * 8 },
      fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
      targets: panel.shows.map(([expr, legendFormat], at) => ({
        refId: String.fromCharCode(65 + at),
        expr,
        legendFormat,
      })),
    })),
  };
}
