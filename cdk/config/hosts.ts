/** Where the Platform API is, below the deployment's domain. */
export function apiHost(domain: string): string {
  return `api.${domain}`;
}

/** The names that the certificate must have, and DNS must resolve. */
export function servedNames(domain: string): readonly string[] {
  return [domain, `*.${domain}`];
}
