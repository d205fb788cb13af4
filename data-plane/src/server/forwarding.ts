/** Marks a request that another node passed on, with the epoch of that node. A client that sends it only keeps its request from being passed on. */
export const forwardedHeader = 'x-turso-byoc-forwarded-by';
