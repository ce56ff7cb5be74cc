/** CommonJS packages below require() an ES module; Jest needs Node >= 24.9 for that, so older Node transforms them. */
const REQUIRED_ESM = ['@noble', 'cookie'];

const swc = (syntax, type, decorators = false) => [
  '@swc/jest',
  {
    swcrc: false,
    jsc: {
      target: 'es2023',
      parser: { syntax, decorators },
      transform: decorators ? { legacyDecorator: true, decoratorMetadata: true } : {},
    },
    module: { type },
  },
];

const required = `/node_modules/(${REQUIRED_ESM.join('|')})/.+\\.js$`;

const project = (name, overrides = {}) => ({
  displayName: name,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': swc('typescript', 'es6'), [required]: swc('ecmascript', 'commonjs') },
  transformIgnorePatterns: [`/node_modules/(?!(${REQUIRED_ESM.join('|')})/)`],
  ...overrides,
});

/** Tests on real brokers and peers: each has a generous deadline, whether it says one or not. */
const REAL = { setupFilesAfterEnv: ['<rootDir>/test/support/real-deadline.ts'] };

/** @type {import('jest').Config} */
const config = {
  // Concurrent tests start processes of their own; more than this only wait for each other.
  maxConcurrency: 2,
  // Of tests without a deadline of their own. It ends what hangs; five seconds, Jest's own, end what
  // is slow because the machine has other work.
  testTimeout: 60_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['bridge/src/**/*.ts', 'chaincode/src/**/*.ts', 'network/src/**/*.ts'],
  projects: [
    project('unit'),
    project('property'),
    project('chaincode', {
      testMatch: ['test/chaincode', 'examples/*/test'].map((at) => `<rootDir>/${at}/**/*.test.ts`),
      extensionsToTreatAsEsm: [],
      transform: { '^.+\\.ts$': swc('typescript', 'commonjs', true) },
    }),
    project('simulation'),
    project('network', REAL),
    project('integration', REAL),
    project('e2e', REAL),
    project('faults', REAL),
  ],
};
export default config;
