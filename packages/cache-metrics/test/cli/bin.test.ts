import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const folder = new URL('../../', import.meta.url)

t.test('bin: cache-advisor is a file that a clone has before it is built, so that npm links ours', async (t) => {
  const { bin, files } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as { bin: Record<string, string>, files: string[] }
  const file = bin['cache-advisor']!
  t.notMatch(file, /^dist/)
  t.ok(existsSync(new URL(file, folder)))
  t.ok(files.includes(file.split('/')[0]!), 'is packed')
})
