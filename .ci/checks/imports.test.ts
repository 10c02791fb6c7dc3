import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '../..')
const PACKAGES = join(ROOT, 'packages')
const DOORS = ['index.ts', 'implementing.ts', 'suite.ts']
/** Rooms of core that each room may import, beside itself. */
const BELOW: Record<string, readonly string[]> = {
  lib: [],
  contract: ['lib'],
  http: ['lib', 'contract'],
  telemetry: ['lib', 'contract'],
  caches: ['lib', 'contract'],
  loading: ['lib', 'contract', 'telemetry'],
  rollout: ['lib', 'contract', 'telemetry'],
  service: ['lib', 'contract', 'caches', 'loading', 'rollout', 'telemetry'],
  client: ['lib', 'contract', 'loading', 'rollout', 'telemetry', 'service'],
  fastify: ['lib', 'contract', 'http', 'caches', 'loading', 'rollout', 'telemetry', 'service', 'client']
}

function sourcesIn (folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => join(folder, file))
}

/** The specifiers that a source imports or re-exports, types included. */
function importsOf (path: string): string[] {
  return ts.preProcessFile(readFileSync(path, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName)
}

/** The specifiers by source of a package. */
const imports = new Map(['cache-core', 'cache-edge', 'cache-metrics', 'cache-redis'].flatMap((name) =>
  sourcesIn(join(PACKAGES, name, 'src')).map((path) => [path, importsOf(path)] as const)))

function shown (path: string): string {
  return relative(PACKAGES, path)
}

/** The sources of the same package that a source imports. */
function importedBy (path: string): string[] {
  return (imports.get(path) ?? []).filter((name) => name.startsWith('.')).map((name) => join(dirname(path), name.replace(/\.js$/, '.ts'))).filter((file) => imports.has(file))
}

t.test('imports: every source was read', async (t) => {
  t.ok(imports.size > 150)
  t.ok([...imports.keys()].some((path) => importedBy(path).length > 3))
})

t.test('imports: a package imports core at most, through a door, and leaves its own src by no path', async (t) => {
  const wrong = [...imports].flatMap(([path, names]) => {
    const [own = ''] = shown(path).split('/')
    return names.filter((name) => name.startsWith('@x/')
      ? own === 'cache-core' || !/^@x\/cache-core(?:\/(?:implementing|suite|testing))?$/.test(name)
      : name.startsWith('.') && relative(join(PACKAGES, own, 'src'), join(dirname(path), name)).startsWith('..')
    ).map((name) => `${shown(path)}: ${name}`)
  })
  t.same(wrong, [])
})

/** Tests that compare the internals of two packages, which neither exports. */
const COMPARING = new Set([
  // The advisor and the cache judge each response alike.
  'packages/cache-edge/test/advice.test.ts',
  // The example shows the defaults of Redis's options.
  'examples/server/test/env.test.ts'
])

t.test('imports: no test imports another package by path', async (t) => {
  const folders = ['packages', 'examples'].flatMap((workspaces) => readdirSync(join(ROOT, workspaces), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => ['test', 'src', 'dashboards'].map((folder) => join(ROOT, workspaces, name, folder))).filter((folder) => existsSync(folder)))
  const found = folders.flatMap((folder) => sourcesIn(folder).flatMap((path) => importsOf(path).filter((name) => {
    if (!name.startsWith('.')) return false
    const [workspaces = '', own = ''] = relative(ROOT, join(dirname(path), name)).split('/')
    return ['packages', 'examples'].includes(workspaces) && join(ROOT, workspaces, own) !== dirname(folder)
  }).map((name) => ({ test: relative(ROOT, path), name }))))
  t.same(found.filter(({ test }) => !COMPARING.has(test)), [], 'what several tests use stands in packages/test-kit')
  t.same([...COMPARING].filter((path) => !found.some(({ test }) => test === path)), [], 'the list holds no other test')
})

t.test('imports: of the rooms of the edge, fastify/ alone knows Fastify; nor does the http room of core', async (t) => {
  const wrong = [...imports].filter(([path]) => /^cache-(?:edge\/src\/(?!fastify\/)[^/]+|core\/src\/http)\//.test(shown(path)))
    .flatMap(([path, names]) => names.filter((name) => /^(?:@?fastify\b|.*\/fastify\/)/.test(name)).map((name) => `${shown(path)}: ${name}`))
  t.same(wrong, [])
})

t.test('imports: the rules of the edge import one another and the suite door of core, and nothing else', async (t) => {
  const rules = [...imports].filter(([path]) => shown(path).startsWith('cache-edge/src/rules/'))
  t.ok(rules.length > 5)
  const isAllowed = (name: string): boolean => /^\.\/[a-z-]+\.js$/.test(name) || name === '@x/cache-core/suite'
  t.same(rules.flatMap(([path, names]) => names.filter((name) => !isAllowed(name)).map((name) => `${shown(path)}: ${name}`)), [])
})

t.test('imports: a room of core imports none above it', async (t) => {
  const wrong = [...imports.keys()].flatMap((path) => {
    const [, , room = ''] = shown(path).split('/')
    const below = BELOW[room]
    if (!shown(path).startsWith('cache-core/') || below === undefined) return []
    return importedBy(path).map((file) => shown(file)).filter((file) => {
      const other = file.split('/')[2] ?? ''
      return other in BELOW ? other !== room && !below.includes(other) : DOORS.includes(other)
    }).map((file) => `${shown(path)}: ${file}`)
  })
  t.same(wrong, [])
})

t.test('doors: index.ts, implementing.ts and suite.ts only re-export', async (t) => {
  const wrong = [...imports.keys()].filter((path) => DOORS.includes(shown(path).split('/')[2] ?? '')).flatMap((path) => {
    const { statements } = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)
    return statements.filter((statement) => !ts.isExportDeclaration(statement)).map((statement) => `${shown(path)}: ${ts.SyntaxKind[statement.kind]}`)
  })
  t.same(wrong, [])
})
