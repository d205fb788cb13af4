/** What the cluster and the Helm chart agree on. */
export const kubernetes = {
  namespace: 'turso-byoc',
  serviceAccounts: { 'data-node': 'turso-byoc-data-node', 'control-plane': 'turso-byoc-control-plane' },
} as const;
