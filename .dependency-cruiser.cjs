/** Which way dependencies point: docs/ARCHITECTURE.md, "Layout". A new `server/<service>/` is under these rules too. */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'of files, types included',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-imports-the-composition-root',
      severity: 'error',
      from: { pathNot: '^server/(main|app|front-door|routes)[.]ts$|^tests/|^scripts/' },
      to: { path: '^server/(main|app|front-door|routes)[.]ts$' },
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
      comment: 'HTTP is for routes, for what reads headers, and for the file that builds the service',
      severity: 'error',
      from: {
        path: '^server/[^/]+/',
        pathNot:
          '^server/(http|pages|monitoring)/|(routes|/create-[a-z-]+|/cookies|/authenticate|/arrivals|/upgrade)[.]ts$|[.]test[.]ts$',
      },
      to: { path: '^server/http/|^node_modules/(hono|@hono)/' },
    },
    {
      name: 'only-repositories-and-drivers-know-the-query-builder',
      severity: 'error',
      from: {
        path: '^server/',
        pathNot:
          '(repository|account-changes)[.]ts$|^server/database/|^server/bus/outbox-reader[.]ts$|[.](test|contract)[.]ts$',
      },
      to: { path: '^node_modules/kysely/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'a-repository-is-its-own-service-s',
      comment: 'but for commands of an operator, who looks into more than one',
      severity: 'error',
      from: { path: '^server/([^/]+)/', pathNot: '[.](test|contract)[.]ts$|/commands[.]ts$' },
      to: { path: '^server/[^/]+/.*repository[.]ts$', pathNot: '^server/$1/' },
    },
    {
      name: 'a-driver-is-known-where-it-is-chosen',
      comment: 'by the file that builds a service, and by its sibling drivers; others stand on the interface beside it',
      severity: 'error',
      from: {
        path: '^server/([^/]+)/',
        pathNot: '[.](test|contract)[.]ts$|/create-[a-z-]+[.]ts$|/(sqlite|postgres)-[a-z-]+[.]ts$',
      },
      to: {
        path: '^server/(database/(sqlite|postgres)|redis)/',
        pathNot: '^server/$1/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'only-state-calls-the-sdk',
      comment: 'components show what state holds, and ask state',
      severity: 'error',
      from: { path: '^web/src/', pathNot: '^web/src/(state/|sdk[.]ts$|main[.]ts$|start[.]ts$|sw[.]ts$)' },
      to: { path: '^sdk/|^web/src/sdk[.]ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'web-and-sdk-know-no-server',
      severity: 'error',
      from: {
        path: '^(web|sdk|terminal)/',
        pathNot: '[.]test[.]ts$|^sdk/(test-support|build|protocol-declarations)[.]ts$',
      },
      to: { path: '^server/' },
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
