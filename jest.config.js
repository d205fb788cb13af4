/** Unit tests stand beside the code they test; scenario tests stand in each workspace's test/ folder. */
export default {
  testEnvironment: 'node',
  roots: [
    '<rootDir>/data-plane',
    '<rootDir>/control-plane',
    '<rootDir>/charts',
    '<rootDir>/cdk',
    '<rootDir>/docs/checks',
  ],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^fast-check$': '<rootDir>/data-plane/test/support/seeded-fast-check.js',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // What computes without pause takes several times as long on a machine that others use.
  testTimeout: 600_000,
  maxWorkers: 2,
  // What suites leave in a worker's heap slows the last ones down many times.
  workerIdleMemoryLimit: '1GB',
};
