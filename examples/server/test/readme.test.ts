import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { openDatabase } from '../src/database/open.js'
import { parseOptions } from '../src/replay/options.js'
import { parseSoakOptions } from '../src/soak/options.js'
import { buildTestApp, openTestDatabase } from './fixtures/app.js'
import { filledDirectory } from './fixtures/filled-database.js'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
const tour = readme.match(/## A tour[\s\S]*?```sh\n([\s\S]*?)```/)![1]!

/** Parses a line of the README's tour: the request, and the part of the response that its comment states. */
function parse (line: string): { request: InjectOptions; status: number; part: string } {
  const [command, comment = ''] = line.split(/ +# /, 2) as [string, string?]
  const headers = Object.fromEntries([...command.matchAll(/-H '([^:]+): ([^']+)'/g)].map(([, name, value]) => [name!, value!]))
  const payload = /-d '([^']+)'/.exec(command)?.[1]
  return {
    request: {
      method: (/-X (\w+)/.exec(command)?.[1] ?? 'GET') as 'GET',
      url: /localhost:8900([^ ']+)/.exec(command)![1]!,
      headers,
      ...payload === undefined ? {} : { payload }
    },
    status: Number(/^\d{3}/.exec(comment)?.[0] ?? 0),
    part: comment.startsWith('"') ? comment : ''
  }
}

t.test('README.md: the tour goes as it says', async (t) => {
  // The test opens a separate database, since the tour names the first approval by its id.
  const database = await openDatabase(await filledDirectory())
  t.teardown(() => database.close())
  const app = await buildTestApp(t, database)
  const lines = tour.replaceAll(/\\\n\s*/g, '').split('\n').filter((line) => line.startsWith('curl '))
  t.ok(lines.length > 12)
  for (const line of lines) {
    const { request, status, part } = parse(line)
    const response = await app.inject(request)
    if (status > 0) t.equal(response.statusCode, status, line)
    else t.ok(response.statusCode < 300, `${line}: ${response.statusCode}`)
    t.ok(response.body.includes(part), `${line}: ${response.body}`)
  }
})

/** The arguments of each command line of the README that runs a script with arguments. */
function argumentsOf (script: string): string[][] {
  return [...readme.matchAll(new RegExp(`^[^\\n\`]*npm run ${script} -- (.*?) *(?:#|$)`, 'gm'))].map(([, rest]) => rest!.split(' '))
}

t.test('README.md: the commands of replay and soak have options that are read', async (t) => {
  const [replays, soaks] = [argumentsOf('replay'), argumentsOf('soak')]
  t.ok(replays.length > 5 && soaks.length > 0)
  for (const args of replays) t.ok(parseOptions(args, '/'), args.join(' '))
  for (const args of soaks) t.ok(parseSoakOptions(args), args.join(' '))
})

t.test('README.md of the root: each curl line answers, the first as its comment says', async (t) => {
  const app = await buildTestApp(t, await openTestDatabase(), { CACHE_IMPL: '' })
  const root = await readFile(new URL('../../../README.md', import.meta.url), 'utf8')
  const lines = root.split('\n').filter((line) => line.startsWith('curl '))
  t.ok(lines.length > 3)
  for (const line of lines) {
    const [command, comment = ''] = line.split(/ +# /, 2) as [string, string?]
    const { statusCode, body } = await app.inject(parse(command).request)
    t.equal(statusCode, 200, line)
    t.ok(body.startsWith(comment.replace('…}', '')), `${line}: ${body}`)
  }
})

t.test('README.md: every trace that a README names is in the repository', async (t) => {
  const root = new URL('../../../', import.meta.url)
  const texts = await Promise.all(['README.md', 'examples/server/README.md'].map((file) => readFile(new URL(file, root), 'utf8')))
  const traces = texts.flatMap((text) => [...text.matchAll(/--trace (\S*\/\S+)/g)].map(([, file]) => file!))
  t.ok(traces.length > 0)
  for (const file of traces) t.ok(existsSync(new URL(file, root)), file)
})

t.test('package.json: npm start says that it builds, then that it starts, before it does', async (t) => {
  const { scripts } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as { scripts: { start: string } }
  const steps = scripts.start.split(' && ').map((step) => step.split(' ')[0])
  t.same(steps, ['echo', 'npm', 'echo', 'npm'])
  t.match(scripts.start, /^echo Building .*quarter of a minute/)
})
