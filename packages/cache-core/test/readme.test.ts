import { readdirSync, readFileSync, existsSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import t from 'tap'

// The imports of a README's examples are resolved from the package of that README.
const root = join(import.meta.dirname, '../../..')
const places = ['.', ...['packages', 'examples'].flatMap((dir) => readdirSync(join(root, dir)).map((name) => join(dir, name)))]

const { version } = Fastify()
/** Returns the minor version of a range or a version of Fastify 5. */
const minorOf = (range: string): number => Number(range.split('.')[1])
/** Returns the reason why the examples of a package cannot run: it requires a newer Fastify; `false`: they can. */
function tooOld (place: string): string | false {
  const { peerDependencies = {} } = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8')) as { peerDependencies?: { fastify?: string } }
  const range = peerDependencies.fastify
  return range !== undefined && version.startsWith('5.') && minorOf(range) > minorOf(version) && `it requires Fastify ${range}`
}

for (const place of places) {
  const file = join(root, place, 'README.md')
  if (!existsSync(file)) continue
  const examples = [...readFileSync(file, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!)
  if (examples.length === 0) continue

  t.test(`README: each example of ${place} runs as it stands`, { skip: tooOld(place) }, async (t) => {
    const dir = join(root, place, '.tap/readme')
    mkdirSync(dir, { recursive: true })
    t.teardown(() => rmSync(dir, { recursive: true }))
    t.intercept(console, 'log')
    t.intercept(console, 'error')
    for (const [at, code] of examples.entries()) {
      const path = join(dir, `example-${at}.mjs`)
      // The app of an example is made ready and closed here, in place of listening.
      const end = /\bconst app\b/.test(code) ? '\nawait app.ready()\nawait app.close()\n' : ''
      writeFileSync(path, code + end)
      await t.resolves(import(pathToFileURL(path).href), `example ${at + 1}`)
    }
  })
}
