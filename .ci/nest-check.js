// Runs the recipe for NestJS, and what it says of policies and guards, in an app of its own: npm run nest:check [-- --nest 12]
// Nest is none of this repository's dependencies, since it brings a hundred packages.
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import assert from 'node:assert/strict'

const ROOT = join(import.meta.dirname, '..')
const { values: { nest } } = parseArgs({ options: { nest: { type: 'string', default: '12' } } })
const readText = (...path) => readFileSync(join(ROOT, ...path), 'utf8')

const folder = mkdtempSync(join(tmpdir(), 'nest-check-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Runs a command in a folder; returns what it printed. */
function run (cwd, command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed:\n${stdout}${stderr}`)
  return stdout
}

/** Starts a compiled app on a free port. Returns its address, and a function that closes it and resolves with the exit code. */
async function start (name) {
  const child = fork(join(folder, 'dist', `${name}.js`), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  process.on('exit', () => child.kill())
  const exited = once(child, 'exit')
  const [url] = await Promise.race([once(child, 'message'), exited.then(([code]) => { throw new Error(`${name} ended with exit code ${code} before it listened`) })])
  return {
    url,
    async close () {
      child.send('close')
      return (await exited)[0]
    }
  }
}

/** The code of an app that listens on a free port, sends its address, and closes when it is told to. */
const controlled = (code) => {
  assert.match(code, /^await app\.listen\(3000\)$/m)
  return code.replace(/^await app\.listen\(3000\)$/m, `await app.listen(0, '127.0.0.1')
process.on('message', () => { void app.close().then(() => process.disconnect!()) })
process.send!(await app.getUrl())`)
}

async function checkRecipe () {
  const { url, close } = await start('recipe')
  for (let times = 0; times < 3; times++) assert.deepEqual(await (await fetch(`${url}/users/1`)).json(), { id: '1', name: 'Ada' })
  assert.equal((await (await fetch(`${url}/internal/cache`)).json()).implName, 'MemoryCache')
  const metrics = await (await fetch(`${url}/metrics/prom`)).text()
  assert.match(metrics, /^cache_hits_total\{[^}]*key_pattern="user"[^}]*\} 2$/m)
  assert.match(metrics, /^cache_miss_total\{[^}]*key_pattern="user"[^}]*\} 1$/m)
  assert.match(metrics, /^cache_candidate_requests\{route="\/users\/:id",method="GET"/m)
  assert.equal(await close(), 0)
  console.log('ok - the recipe: one miss and two hits by key pattern, the route as a candidate, /internal/cache and /metrics/prom, and an end')
}

async function checkPolicies () {
  const { url, close } = await start('policies')
  const read = async (headers = {}) => fetch(`${url}/news`, { headers })
  const first = await read()
  assert.deepEqual(await first.json(), { run: 1 })
  const second = await read()
  assert.deepEqual(await second.json(), { run: 1 })
  assert.match(second.headers.get('cache-status'), /; hit/)
  assert.equal((await read({ 'if-none-match': second.headers.get('etag') })).status, 304)
  assert.equal(await (await fetch(`${url}/news`, { method: 'POST' })).text(), 'published')
  assert.deepEqual(await (await read()).json(), { run: 2 })
  console.log('ok - @RouteConfig: a stored response, a 304, and a new response after the tag of a service')
  assert.equal((await fetch(`${url}/guarded`, { headers: { 'x-name': 'Ada' } })).status, 403)
  assert.equal(await close(), 0)
  console.log('ok - a guard on a route with store sees no header outside of vary')
}

const packages = ['cache-core', 'cache-metrics', 'cache-edge']
const packed = run(ROOT, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder, ...packages.map((name) => `--workspace=packages/${name}`))
const tarballs = Object.values(JSON.parse(packed)).map(({ filename }) => `./${filename}`)
const recipe = /^## NestJS$[^]*?```ts\n([^]*?)```/m.exec(readText('examples/guide/recipes.md'))[1]
for (const [name, code] of [['recipe', recipe], ['policies', readText('.config/consumer-nest/policies.ts')]]) writeFileSync(join(folder, `${name}.ts`), controlled(code))
writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
  compilerOptions: { target: 'es2023', module: 'nodenext', types: ['node'], strict: true, skipLibCheck: true, outDir: 'dist', experimentalDecorators: true },
  include: ['*.ts']
}))
const { devDependencies } = JSON.parse(readText('package.json'))
const ofNest = ['common', 'core', 'platform-fastify'].map((name) => `@nestjs/${name}@${nest}`)
run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', ...ofNest, 'reflect-metadata', 'rxjs', 'fastify@5', `@types/node@${devDependencies['@types/node']}`, ...tarballs)
run(folder, process.execPath, join(ROOT, 'node_modules/typescript-7/bin/tsc'), '-p', '.')
const versions = ['@nestjs/core', '@nestjs/platform-fastify', 'fastify'].map((name) => `${name} ${JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version}`)
console.log(`Node ${process.version}, ${versions.join(', ')}`)
await checkRecipe()
await checkPolicies()
