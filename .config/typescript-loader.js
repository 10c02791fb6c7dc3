// Runs TypeScript sources as they are, and keeps what a file was transpiled to, by its content: to transpile every
// source again in each of a hundred test processes would take most of the suite's time.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

const FOLDER = new URL('../.tap/transpiled/', import.meta.url)

if (isMainThread) register(import.meta.url)

export async function resolve (specifier, context, nextResolve) {
  if (specifier.startsWith('.') && specifier.endsWith('.js')) {
    const source = new URL(`${specifier.slice(0, -'.js'.length)}.ts`, context.parentURL)
    if (existsSync(source)) return nextResolve(source.href, context)
  }
  return nextResolve(specifier, context)
}

export async function load (url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const path = fileURLToPath(url)
  const source = readFileSync(path, 'utf8')
  const kept = new URL(`${createHash('sha1').update(`${path}\n${source}`).digest('hex')}.js`, FOLDER)
  if (!existsSync(kept)) {
    mkdirSync(FOLDER, { recursive: true })
    const draft = new URL(`${kept.href}.${process.pid}`)
    writeFileSync(draft, await transpile(path, source))
    renameSync(draft, kept)
  }
  return { format: 'module', source: readFileSync(kept, 'utf8'), shortCircuit: true }
}

async function transpile (fileName, source) {
  const { default: ts } = await import('typescript')
  const { target, verbatimModuleSyntax } = ts.readConfigFile(fileURLToPath(new URL('../tsconfig.base.json', import.meta.url)), ts.sys.readFile).config.compilerOptions
  const compilerOptions = { target, verbatimModuleSyntax, module: 'esnext', inlineSourceMap: true, inlineSources: true }
  return ts.transpileModule(source, { fileName, compilerOptions: ts.convertCompilerOptionsFromJson(compilerOptions, '.').options }).outputText
}
