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

t.test('README: no npx command asks the registry for a package of the name cache-advisor', async (t) => {
  for (const file of ['README.md', '../../README.md', '../../examples/server/README.md']) {
    const text = readFileSync(new URL(file, folder), 'utf8')
    t.notMatch(text, /\bnpx (?!--no-install )(?:-\S+ )*cache-advisor/, file)
    t.notMatch(text, /npm exec (?!--no )(?:-\S+ )*cache-advisor/, file)
  }
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', folder), 'utf8')) as { scripts: Record<string, string> }
  t.match(scripts['advisor'], /cache-metrics\/bin\/cache-advisor\.js/)
})
