import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const PACKAGES = join(import.meta.dirname, '../../packages')
const DOORS = ['index.ts', 'implementing.ts', 'suite.ts']
/** Rooms of core that each room may import, beside itself. */
const BELOW: Record<string, readonly string[]> = {
  lib: [],
  contract: ['lib'],
  http: ['lib', 'contract'],
  caches: ['lib', 'contract', 'loading', 'telemetry', 'service'],
  loading: ['lib', 'contract', 'caches', 'telemetry', 'service'],
  telemetry: ['lib', 'contract', 'caches', 'loading', 'service'],
  service: ['lib', 'contract', 'caches', 'loading', 'telemetry'],
  client: ['lib', 'contract', 'caches', 'loading', 'telemetry', 'service'],
  fastify: ['lib', 'contract', 'caches', 'loading', 'telemetry', 'service', 'client']
}

/** Imports that break a rule below. Take an import off the list when it is gone; put none on it. */
const EXCEPTIONS = new Set([
  'cache-metrics/src/cli/trace-source.ts -> cache-metrics/src/cli/main.ts',
  'cache-redis/src/connection/node.ts -> cache-redis/src/connection/commands.ts',
  'cache-redis/src/options.ts -> cache-redis/src/connection/endpoints.ts'
])

/** The specifiers that each source imports or re-exports, types included. */
const imports = new Map<string, string[]>(['cache-core', 'cache-edge', 'cache-metrics', 'cache-redis'].flatMap((name) =>
  readdirSync(join(PACKAGES, name, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => {
    const path = join(PACKAGES, name, 'src', file)
    return [path, ts.preProcessFile(readFileSync(path, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName)] as [string, string[]]
  })))

function shown (path: string): string {
  return relative(PACKAGES, path)
}

function isException (path: string, imported: string): boolean {
  return EXCEPTIONS.has(`${shown(path)} -> ${imported}`)
}

/** The sources of the same package that a source imports. */
function importedBy (path: string): string[] {
  return (imports.get(path) ?? []).filter((name) => name.startsWith('.')).map((name) => join(dirname(path), name.replace(/\.js$/, '.ts'))).filter((file) => imports.has(file))
}

/** The first path by which a source imports itself; undefined without one. */
function firstCycle (): string[] | undefined {
  const done = new Set<string>()
  const visit = (path: string, above: readonly string[]): string[] | undefined => {
    if (above.includes(path)) return [...above.slice(above.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const next of importedBy(path)) {
      if (isException(path, shown(next))) continue
      const cycle = visit(next, [...above, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const path of imports.keys()) {
    const cycle = visit(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

t.test('imports: each exception stands in the sources', async (t) => {
  const standing = [...imports.keys()].flatMap((path) => importedBy(path).map((file) => `${shown(path)} -> ${shown(file)}`))
  t.same([...EXCEPTIONS].filter((exception) => !standing.includes(exception)), [])
})

t.test('imports: every source was read', async (t) => {
  t.ok(imports.size > 150)
  t.ok([...imports.keys()].some((path) => importedBy(path).length > 3))
})

t.test('imports: there is no cycle, types included', async (t) => {
  t.same(firstCycle()?.map(shown), undefined)
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

t.test('imports: of the rooms of the edge, fastify/ alone knows Fastify; nor does the http room of core', async (t) => {
  const wrong = [...imports].filter(([path]) => /^cache-(?:edge\/src\/(?!fastify\/)[^/]+|core\/src\/http)\//.test(shown(path)))
    .flatMap(([path, names]) => names.filter((name) => /^(?:@?fastify\b|.*\/fastify\/)/.test(name) && !isException(path, name)).map((name) => `${shown(path)}: ${name}`))
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
    return importedBy(path).map((file) => shown(file)).filter((file) => !isException(path, file)).filter((file) => {
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
