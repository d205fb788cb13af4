/** Where the processes listen in their containers. */
export const ports = {
  /** TLS, of clients; also that of AWS services. */
  edge: 443,
  /** SQL over HTTP of a data node. */
  sql: 8080,
  /** The Platform API. */
  api: 8081,
  /** Admin interface and metrics of a data node. */
  admin: 8082,
} as const;
