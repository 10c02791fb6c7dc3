import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')
const TESTS = join(ROOT, 'packages/cache-edge/test/rules')

/** The coverage that V8 writes of one process. */
interface Coverage { readonly result: readonly { readonly url: string; readonly functions: readonly CoveredFunction[] }[] }
interface CoveredFunction { readonly functionName: string; readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[] }

// V8's own ranges: one for each branch that was taken another number of times than the block around it.
t.test('rules of the edge: their own tests, which start no app, take every branch', { timeout: 600_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rules-coverage-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const tests = (await readdir(TESTS)).map((name) => `await import(${JSON.stringify(join(TESTS, name))})`).join('\n')
  // Without tap's hooks, which would have their own coverage in the environment.
  const { NODE_OPTIONS, ...env } = process.env
  const loader = join(ROOT, '.config/typescript-loader.js')
  await promisify(execFile)(process.execPath, [`--import=${loader}`, '--input-type=module', '--eval', tests], { cwd: ROOT, env: { ...env, NODE_V8_COVERAGE: folder }, maxBuffer: 64 * 1024 * 1024 })
  const covered = new Set<string>()
  const missed: string[] = []
  for (const name of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, name), 'utf8')) as Coverage
    for (const { url, functions } of result) {
      const file = /\/cache-edge\/src\/(rules\/[a-z-]+)\.ts$/.exec(url)?.[1]
      if (file === undefined) continue
      covered.add(file)
      for (const { functionName, ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) if (count === 0) missed.push(`${file}: ${functionName} at ${startOffset} to ${endOffset}`)
      }
    }
  }
  t.same(missed, [])
  const rules = (await readdir(join(ROOT, 'packages/cache-edge/src/rules'))).map((name) => `rules/${name.replace(/\.ts$/, '')}`)
  t.same([...covered].sort(), rules.sort(), 'every file was loaded')
})
