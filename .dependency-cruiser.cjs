/** Which way dependencies point: docs/ARCHITECTURE.md, "Layout". */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'nothing-imports-the-composition-root',
      severity: 'error',
      from: { pathNot: '^server/main[.]ts$|^tests/|^scripts/' },
      to: { path: '^server/app[.]ts$' },
    },
    {
      name: 'protocol-stands-alone',
      comment: 'the contract as code: no I/O, nothing of the server',
      severity: 'error',
      from: { path: '^protocol/', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^(protocol/|node_modules/zod/)' },
    },
    {
      name: 'sdk-stands-on-the-protocol-alone',
      comment: 'a package of its own: of the protocol only what is free of zod may run in it',
      severity: 'error',
      from: { path: '^sdk/', pathNot: '[.]test[.]ts$|^sdk/(test-support|build|protocol-declarations)[.]ts$' },
      to: {
        pathNot: '^sdk/|^protocol/(errors|close-codes|limits|text)[.]ts$|^node:|^[a-z_/]+$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'services-know-no-http',
      severity: 'error',
      from: {
        path: '^server/[^/]+/(service|repository|sessions|search|presenter)[.]ts$|^server/chat/(?!.*routes)[^/]+[.]ts$',
      },
      to: { path: '^server/http/|^node_modules/(hono|@hono)/' },
    },
    {
      name: 'only-repositories-and-drivers-know-the-query-builder',
      severity: 'error',
      from: {
        path: '^server/',
        pathNot: '(repository|account-changes)[.]ts$|^server/database/|^server/bus/outbox-reader[.]ts$',
      },
      to: { path: '^node_modules/kysely/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'a-repository-is-its-own-service-s',
      severity: 'error',
      from: { path: '^server/(auth|users|chat|admin|worker)/', pathNot: '[.]test[.]ts$' },
      to: { path: '^server/(auth|users|chat|admin|worker)/repository[.]ts$', pathNot: '^server/$1/' },
    },
    {
      name: 'the-server-does-not-reach-into-tests-or-benches',
      severity: 'error',
      from: { path: '^(server|protocol)/', pathNot: '[.](test|contract)[.]ts$' },
      to: { path: '^(tests|bench)/' },
    },
    {
      name: 'no-dev-dependency-in-the-server',
      severity: 'error',
      from: { path: '^(server|protocol)/', pathNot: '[.]test[.]ts$|[.]d[.]ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    builtInModules: { add: ['bun', 'bun:sqlite', 'bun:test'] },
  },
};
