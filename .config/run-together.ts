import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

/** Runs the test files below a folder, but for those in `servers/`, in this process: to start one for each takes longer than the tests. */
export async function runTogether (folder: string): Promise<void> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  // As a test, so that those of the files wait until all are loaded.
  await t.test('every file is loaded', { timeout: 1_200_000 }, async () => {
    for (const file of files.filter((name) => name.endsWith('.test.ts') && !name.startsWith('servers/')).sort()) {
      await import(pathToFileURL(join(folder, file)).href)
    }
  })
  t.setTimeout(1_200_000)
}
