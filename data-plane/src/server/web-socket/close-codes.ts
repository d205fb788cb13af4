/** Close codes of RFC 6455, 7.4.1, and of its registry. */
export const closeCodes = { idle: 1000, protocolError: 1002, policy: 1008, internal: 1011, restart: 1012 } as const;
