// Runs TypeScript sources as they are, and keeps what a file was transpiled to, by its content: to transpile every
// source again in each of a hundred test processes would take most of the suite's time.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

const FOLDER = new URL('../.tap/transpiled/', import.meta.url)

const PACKAGES = new URL('../packages/', import.meta.url)
const ERROR_DOMAIN = new URL('./error-domain.js', import.meta.url).href
const require = createRequire(import.meta.url)

// Newer versions of Node deprecate module.register(); the hooks are synchronous, so that both ways take them.
if (module.registerHooks !== undefined) module.registerHooks({ resolve, load })
else if (isMainThread) module.register(import.meta.url)

export function resolve (specifier, context, nextResolve) {
  if (specifier === 'async-hook-domain') return nextResolve(ERROR_DOMAIN, context)
  const [isTypebox, door = 'index'] = /^typebox(?:\/([\w-]+))?$/.exec(specifier) ?? []
  if (isTypebox && !isBundling) return { url: new URL(`${door}.js`, bundledTypebox()).href, format: 'module', shortCircuit: true }
  const source = sourceOf(specifier, context.parentURL)
  if (source === undefined || !existsSync(source)) return nextResolve(specifier, context)
  // Node would look for the file once more, in each folder of its path.
  return { url: source.href, format: 'module', shortCircuit: true }
}

/** The source of a file of a package, or of a package: its manifest leads to what was built, and tests run without a build. */
function sourceOf (specifier, parentURL) {
  if (specifier.startsWith('.') && specifier.endsWith('.js')) return new URL(`${specifier.slice(0, -'.js'.length)}.ts`, parentURL)
  const [, name, door = 'index'] = /^@x\/(cache-\w+|test-kit)(?:\/([\w-]+))?$/.exec(specifier) ?? []
  return name === undefined ? undefined : new URL(`${name}/src/${door}.ts`, PACKAGES)
}

export function load (url, context, nextLoad) {
  if (!url.endsWith('.ts')) {
    // At once: the default is to open, read and close each of hundreds of files in another thread.
    if (context.format === 'module') return { format: 'module', source: readFileSync(fileURLToPath(url), 'utf8'), shortCircuit: true }
    return nextLoad(url, context)
  }
  const path = fileURLToPath(url)
  const source = readFileSync(path, 'utf8')
  const kept = new URL(`${createHash('sha1').update(`${basename(path)}\n${source}`).digest('hex')}.js`, FOLDER)
  if (!existsSync(kept)) {
    mkdirSync(FOLDER, { recursive: true })
    const draft = new URL(`${kept.href}.${process.pid}`)
    writeFileSync(draft, transpile(path, source))
    renameSync(draft, kept)
  }
  return { format: 'module', source: readFileSync(kept, 'utf8'), shortCircuit: true }
}

let typebox
// Since Node 22 the hooks are asked by `require.resolve` as well, so also while they look for the package.
let isBundling = false

/**
 * Returns the URL of a folder with a file for each door of TypeBox; the first process that needs it makes it. The package has 700 files,
 * which take a process half a second.
 */
function bundledTypebox () {
  if (typebox === undefined) {
    isBundling = true
    typebox = bundleTypebox()
    isBundling = false
  }
  return typebox
}

function bundleTypebox () {
  const build = join(require.resolve('typebox'), '..')
  const { version, exports } = JSON.parse(readFileSync(join(build, '../package.json'), 'utf8'))
  const kept = new URL(`typebox-${version}/`, FOLDER)
  if (existsSync(kept)) return kept
  const doors = Object.keys(exports).map((door) => door === '.' ? 'index' : door.slice(2))
  const outdir = fileURLToPath(new URL(`typebox.${process.pid}`, FOLDER))
  require('esbuild').buildSync({
    entryPoints: Object.fromEntries(doors.map((door) => [door, join(build, door === 'index' ? '' : door, 'index.mjs')])),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm'
  })
  try {
    renameSync(outdir, kept)
  } catch (error) {
    // Another process was faster.
    if (!existsSync(kept)) throw error
    rmSync(outdir, { recursive: true })
  }
  return kept
}

// esbuild takes a quarter of the time of TypeScript, and none to load. As tsconfig.base.json says, which has comments.
function transpile (sourcefile, source) {
  const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } }
  return require('esbuild').transformSync(source, { loader: 'ts', format: 'esm', target: 'es2023', sourcemap: 'inline', sourcefile, tsconfigRaw }).code
}
