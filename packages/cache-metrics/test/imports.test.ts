import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import t from 'tap'

const SRC = join(import.meta.dirname, '../src')
/** The folders whose code must run without an app. */
const ROOMS = ['advisor/accesses', 'advisor/curve', 'advisor/keeping', 'advisor/staleness', 'advisor/key-leak', 'advisor/report', 'cli']
const FORBIDDEN = /^(fastify|@fastify\/.*|fastify-plugin|prom-client)(\/|$)/

/** Returns the modules that a file imports, including types. */
async function importsOf (file: string): Promise<string[]> {
  return ts.preProcessFile(await readFile(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName)
}

/** Returns the packages that files import directly or through other files of this package, each with the file that names it. */
async function packagesOf (files: readonly string[]): Promise<Map<string, string>> {
  const seen = new Set(files)
  const packages = new Map<string, string>()
  for (const file of seen) {
    for (const name of await importsOf(file)) {
      if (name.startsWith('.')) seen.add(join(dirname(file), name.replace(/\.js$/, '.ts')))
      else packages.set(name, relative(SRC, file))
    }
  }
  return packages
}

for (const room of ROOMS) {
  t.test(`imports: nothing in ${room} leads to Fastify or prom-client`, async (t) => {
    const files = (await readdir(join(SRC, room), { recursive: true })).filter((file) => file.endsWith('.ts')).map((file) => join(SRC, room, file))
    t.ok(files.length > 0)
    t.same([...await packagesOf(files)].filter(([name]) => FORBIDDEN.test(name)), [])
  })
}

t.test('imports: the walk finds them where they are', async (t) => {
  const packages = await packagesOf([join(SRC, 'plugin.ts')])
  for (const name of ['fastify', 'fastify-plugin', 'prom-client']) t.ok(packages.has(name), name)
})
