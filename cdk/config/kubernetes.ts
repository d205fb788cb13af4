/** What the cluster and the Helm chart agree on; the names of service accounts are the chart's own for a release of this name. */
export const kubernetes = {
  namespace: 'turso-byoc',
  release: 'turso-byoc',
  serviceAccounts: { 'data-node': 'turso-byoc-data', 'control-plane': 'turso-byoc-control' },
} as const;
