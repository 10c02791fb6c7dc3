// Runs the unit tests on several versions of Node, Fastify and ioredis, and prints a table of them:
// npm run matrix:node [-- --node 22,26 --fastify 5.11.0,6.0.0-alpha.4 --ioredis 5.4.0 FILE …]
// npm's package `node` brings each Node. A version of Fastify or ioredis is tested in a copy of this repository, which has only one.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

const ROOT = join(import.meta.dirname, '..')
const NODES = ['20', '22', '24', '26']
/**
 * The packages that are replaced, by their place here: the lowest version of the peer range (of Fastify, that of cache-edge), the newest, and
 * a prerelease of the next major.
 */
const PACKAGES = {
  fastify: { place: 'node_modules/fastify', versions: ['5.11.0', '5', '6.0.0-alpha.4'] },
  ioredis: { place: 'packages/cache-redis/node_modules/ioredis', versions: ['5.4.0', '5'] }
}
/** A prerelease may fail: its row says how, and the exit status stays 0. */
const mayFail = (version) => version.includes('-')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string' }, fastify: { type: 'string' }, ioredis: { type: 'string' } }
})
const isAll = Object.keys(values).length === 0
const listed = (text, all) => text === undefined ? (isAll ? all : []) : text.split(',').filter((each) => each !== '')

const files = positionals.length > 0 ? positionals : unitTests()
const folder = mkdtempSync(join(tmpdir(), 'matrix-node-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const rows = []
for (const version of listed(values.node, NODES)) {
  const installed = install('node', version)
  const binary = join(installed.path, 'bin', 'node')
  rows.push({ what: `Node ${installed.version}`, ...await test(ROOT, binary), mayFail: false })
}
for (const [name, { place, versions }] of Object.entries(PACKAGES)) {
  for (const version of listed(values[name], versions)) {
    const installed = install(name, version)
    rows.push({ what: `${name} ${installed.version}`, ...await test(copyWith(installed.path, place), process.execPath), mayFail: mayFail(installed.version) })
  }
}

console.log(`\n| version | result |\n|---|---|\n${rows.map(({ what, result }) => `| ${what} | ${result} |`).join('\n')}`)
process.exitCode = rows.some(({ isOk, mayFail }) => !isOk && !mayFail) ? 1 : 0

/** The unit tests of all packages; those with servers are named as arguments. */
function unitTests () {
  return readdirSync(join(ROOT, 'packages')).flatMap((name) => ['test/together.ts', 'test/rollout/together.ts'].map((file) => join('packages', name, file)))
    .filter((file) => existsSync(join(ROOT, file)))
}

/** Installs a package with all that it depends on into a folder of its own. */
function install (name, version) {
  const home = join(folder, `${name}-${version}`)
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${version}`], { cwd: home, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm cannot install ${name}@${version}: ${stderr}`)
  const path = join(home, 'node_modules', name)
  return { path, version: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')).version }
}

/** A copy of this repository with another version of a package in its place, and below it the packages that it depends on. */
function copyWith (path, place) {
  const copy = join(folder, 'copy')
  rmSync(copy, { recursive: true, force: true })
  // `.tap` has links to this repository's tap, which must not be loaded beside that of the copy; tap makes it anew.
  cpSync(ROOT, copy, { recursive: true, verbatimSymlinks: true, filter: (source) => !['.git', '.tap'].includes(basename(source)) })
  const target = join(copy, place)
  rmSync(target, { recursive: true })
  cpSync(path, target, { recursive: true })
  mkdirSync(join(target, 'node_modules'), { recursive: true })
  const others = readdirSync(dirname(path)).filter((name) => name !== basename(path) && !name.startsWith('.'))
  for (const name of others) renameSync(join(dirname(path), name), join(target, 'node_modules', name))
  return copy
}

/** Runs the test files with one Node. */
async function test (cwd, binary) {
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  const child = spawn(binary, [join('node_modules', '.bin', 'tap'), '--disable-coverage', ...files], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
    process.stdout.write(data)
  })
  const [status] = await new Promise((resolve) => { child.on('close', (...ended) => resolve(ended)) })
  return { isOk: status === 0, result: /^\d+ passed, \d+ failed$/m.exec(output)?.[0] ?? `ended with ${status}` }
}
