// Packs what would be published and uses it as a stranger would: every door, both module systems, strict types.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules/.bin')
const consumer = join(root, '.config/consumer')

const readJson = async (...path) => JSON.parse(await readFile(join(...path), 'utf8'))
const installedVersion = async (name) => (await readJson(root, 'node_modules', name, 'package.json')).version

/** Runs a command; a failure becomes `sentence` with what the command printed. */
async function run (sentence, cwd, command, ...args) {
  try {
    return (await exec(command, args, { cwd })).stdout
  } catch (error) {
    throw new Error(`${sentence}:\n${error.stdout}${error.stderr}`)
  }
}

/** Packs the built packages; their own build script would build each of them once more. */
async function packAll (dirs, app) {
  const packed = await run('The packages cannot be packed', root, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', app, ...dirs.map((dir) => `--workspace=${dir}`))
  const tarballs = new Map(Object.values(JSON.parse(packed)).map(({ name, filename }) => [name, filename]))
  return Promise.all(dirs.map((dir) => checkTarball(dir, app, tarballs)))
}

async function checkTarball (dir, app, tarballs) {
  const { name, files, exports } = await readJson(root, dir, 'package.json')
  checkConditions(name, exports)
  const tarball = tarballs.get(name)

  const packed = (await run(`${tarball} is no tarball`, app, 'tar', '-tf', tarball)).split('\n')
  for (const promised of files.filter((file) => !file.startsWith('!'))) {
    if (!packed.some((file) => file === `package/${promised}` || file.startsWith(`package/${promised}/`))) {
      throw new Error(`${name} promises "${promised}" in its files, but the tarball has no such file`)
    }
  }
  await run(`publint refuses ${name}`, app, join(bin, 'publint'), 'run', tarball, '--strict')
  await run(`attw refuses ${name}`, app, join(bin, 'attw'), tarball, '--profile', 'esm-only', '--no-color')
  return { name, tarball }
}

/** The command that comes with the metrics, on a trace of 300 keys. */
async function useCommandLine (app) {
  await writeFile(join(app, 'keys.txt'), Array.from({ length: 300 }, (_, at) => `item:${at % 3}\n`).join(''))
  const printed = await run('cache-advisor does not run', app, 'npx', '--no-install', 'cache-advisor', 'plan', '--trace', 'keys.txt', '--ttl', '60', '--entries', '10', '--format', 'json')
  const { expected } = JSON.parse(printed)
  if (expected?.hitRate !== 0.99) throw new Error(`cache-advisor is wrong about 297 hits in 300: ${printed}`)
  console.log('ok - cache-advisor: installed, and right about a trace')
}

/** Option `otel` without and with the OpenTelemetry SDK, an optional peer dependency that npm does not install by itself. */
async function useOtel (app, expected) {
  const printed = (await run('The metrics cannot be registered with option otel', app, process.execPath, 'otel.js')).trim()
  if (printed !== expected) throw new Error(`option otel: ${printed} and not ${expected}`)
}

/**
 * Compiles consumers under each module resolution; declarations that are not found there would be `any` without a word.
 * Declarations of dependencies are the same files under each, so that one compilation checks them: TypeBox's take 20 s.
 */
async function compile (app) {
  await cp(join(app, 'types.ts'), join(app, 'types.cts'))
  // Two versions of TypeScript, as consumers have either; 7 has no node10.
  const compiler = (version) => join(root, 'node_modules', version, 'bin/tsc')
  const tsc = (version, name, ...args) => run(`A TypeScript consumer does not compile with ${name}`, app, process.execPath, compiler(version), ...args)
  const one = ['types.ts', '--target', 'es2022', '--types', 'node', '--strict', '--noEmit', '--esModuleInterop']
  await Promise.all([
    tsc('typescript', 'nodenext, as ESM and CommonJS', '-p', '.'),
    tsc('typescript', 'node10', ...one, '--skipLibCheck', '--module', 'commonjs', '--moduleResolution', 'node10'),
    tsc('typescript-7', 'bundler', ...one, '--ignoreConfig', '--singleThreaded', '--skipLibCheck', 'false', '--module', 'esnext', '--moduleResolution', 'bundler')
  ])
  console.log('ok - strict TypeScript consumers compile: nodenext (ESM, CommonJS), node10, bundler')
}

/** No condition of this repository may choose another file than the one that is published. */
function checkConditions (name, exports) {
  const unknown = Object.values(exports).flatMap((door) => typeof door === 'string' ? [] : Object.keys(door)).find((condition) => condition !== 'types' && condition !== 'default')
  if (unknown !== undefined) throw new Error(`${name} has the condition "${unknown}" in its exports: allowed are types and default`)
}

/** The lowest versions that the packages allow of their peer dependencies; a range such as ^5 names none, and is left as installed. */
async function lowestPeers (dirs) {
  const lowest = []
  for (const dir of dirs) {
    const { peerDependencies = {} } = await readJson(root, dir, 'package.json')
    for (const [name, range] of Object.entries(peerDependencies)) {
      const version = /\d+\.\d+\.\d+/.exec(range)?.[0]
      if (version !== undefined) lowest.push(`${name}@${version}`)
    }
  }
  return lowest
}

/** Opens the doors once more, and compiles, with the lowest versions of the peer dependencies; npm has installed the highest. */
async function useLowestPeers (app, dirs, packages) {
  const lowest = await lowestPeers(dirs)
  await run('The lowest peer dependencies cannot be installed', app, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--save-exact', ...lowest)
  for (const { name } of packages) await run(`${name} cannot be used with ${lowest.join(' and ')}`, app, process.execPath, 'doors.js', name)
  await run(`A TypeScript consumer does not compile with ${lowest.join(' and ')}`, app, process.execPath, join(root, 'node_modules/typescript-7/bin/tsc'), '-p', '.', '--singleThreaded')
  await useOtel(app, '200')
  console.log(`ok - the lowest peer dependencies: ${lowest.join(', ')}`)
}

async function check (app) {
  const dirs = []
  for (const entry of await readdir(join(root, 'packages'), { withFileTypes: true })) {
    const dir = entry.name
    if (entry.isDirectory() && !(await readJson(root, 'packages', dir, 'package.json')).private) dirs.push(join('packages', dir))
  }
  const packages = await packAll(dirs, app)

  await cp(consumer, app, { recursive: true })
  const samples = await readdir(consumer)
  for (const { name } of packages) {
    const sample = `${name.split('/')[1]}.ts`
    if (!samples.includes(sample)) throw new Error(`${name} has no TypeScript sample: write .config/consumer/${sample}`)
  }
  await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  await run('The tarballs cannot be installed', app, 'npm', 'install',
    '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error',
    `fastify@${await installedVersion('fastify')}`, `@types/node@${await installedVersion('@types/node')}`,
    ...packages.map(({ tarball }) => `./${tarball}`))

  for (const { name } of packages) {
    await run(`${name} cannot be used`, app, process.execPath, 'doors.js', name)
    console.log(`ok - ${name}: packed, installed, imported, required, registered`)
  }
  await useCommandLine(app)
  await useOtel(app, 'CACHE_ERR_OTEL_MISSING')
  await compile(app)
  await useLowestPeers(app, dirs, packages)
}

const app = await mkdtemp(join(tmpdir(), 'pack-check-'))
try {
  await check(app)
} catch (error) {
  console.error(`pack check failed: ${error.message}`)
  process.exitCode = 1
} finally {
  await rm(app, { recursive: true })
}
