/** Published latencies of S3 for small objects, within a region. */
export const latencies = {
  standard: { read: { p50Ms: 24, p99Ms: 77 }, write: { p50Ms: 28, p99Ms: 67 } },
  express: { read: { p50Ms: 5, p99Ms: 12 }, write: { p50Ms: 6, p99Ms: 15 } },
} as const;
