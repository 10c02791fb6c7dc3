import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const PACKAGES = join(import.meta.dirname, '../..')
const alias = {
  ...Object.fromEntries(readdirSync(PACKAGES).map((name) => [`@x/${name}`, join(PACKAGES, name, 'src')])),
  // TypeBox becomes part of the file: its 700 files take a process half a second. The loader of the tests has joined them to a few.
  typebox: dirname(fileURLToPath(import.meta.resolve('typebox')))
}
const bundles = new Map<string, string>()

/**
 * Writes a TypeScript module, with all sources of this repository that it imports, into one file of a package, and returns its path. A
 * process that loads hundreds of sources one by one takes a second of processor time to start; with one file it takes a third of that.
 * @param home the name of the package whose dependencies the module imports
 */
export function bundle (entry: string, home: string): string {
  const known = bundles.get(entry)
  if (known !== undefined) return known
  const { outputFiles: [output] } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    alias,
    // Without the loader, the files of TypeBox end with `.mjs`.
    resolveExtensions: ['.ts', '.js', '.mjs', '.json'],
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'es2023'
  })
  const folder = join(PACKAGES, home, '.tap')
  const file = join(folder, `${createHash('sha1').update(output!.contents).digest('hex')}.mjs`)
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true })
    const draft = `${file}.${process.pid}`
    writeFileSync(draft, output!.contents)
    renameSync(draft, file)
  }
  bundles.set(entry, file)
  return file
}
