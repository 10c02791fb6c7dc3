import { readFileSync } from 'node:fs'
import type { FastifyInstance, InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import * as edge from '../src/quick-start/edge.js'
import * as observe from '../src/quick-start/observe.js'

async function ready (t: Test, building: Promise<FastifyInstance>): Promise<FastifyInstance> {
  const app = await building
  t.teardown(() => app.close())
  return app
}

t.test('quick start, observe: nothing is cached, and reads and loads are counted', async (t) => {
  const app = await ready(t, observe.buildApp())
  for (let turn = 0; turn < 3; turn++) t.same((await app.inject('/articles/1')).json(), { id: '1', title: 'First' })
  t.match((await app.inject('/internal/cache')).json(), { enabled: false, implName: 'NullCache' })
  const { body } = await app.inject('/metrics/prom')
  t.match(body, /^cache_miss_total\{impl="null",key_pattern="article"\} 3$/m)
  t.match(body, /^cache_load_duration_seconds_count\{key_pattern="article"\} 3$/m)
  t.match((await app.inject('/internal/cache/advice')).json(), { advice: [{ name: 'article' }] })
})

t.test('quick start, edge: a response is stored, validated, and gone after a write', async (t) => {
  const app = await ready(t, edge.buildApp())
  const first = await app.inject('/articles/2')
  t.match(first.headers['cache-control'], 'max-age=60')
  t.match((await app.inject('/articles/2')).headers['cache-status'], /hit/)
  t.equal((await app.inject({ url: '/articles/2', headers: { 'if-none-match': first.headers.etag } })).statusCode, 304)
  await app.inject({ method: 'PUT', url: '/articles/2', payload: { title: 'Changed' } })
  const changed = await app.inject({ url: '/articles/2', headers: { 'if-none-match': first.headers.etag } })
  t.equal(changed.statusCode, 200)
  t.same(changed.json(), { id: '2', title: 'Changed' })
})

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** Returns the curl lines of a section of the README: the request, and the expected response in the comment. */
function curlLines (section: string): { line: string; request: InjectOptions; comment: string }[] {
  const text = readme.slice(readme.indexOf(`## ${section}`)).split('\n## ', 1)[0]!
  return text.split('\n').filter((line) => line.startsWith('curl ')).map((line) => {
    const [command, comment = ''] = line.split(/ +# /, 2) as [string, string?]
    const payload = / -d '([^']+)'/.exec(command)?.[1]
    const request: InjectOptions = {
      method: (/-X (\w+)/.exec(command)?.[1] ?? 'GET') as 'GET',
      url: /localhost:3000(\S+)/.exec(command)![1]!,
      headers: Object.fromEntries([...command.matchAll(/-H '([^:]+): ([^']+)'/g)].map(([, name, value]) => [name!, value!])),
      ...payload === undefined ? {} : { payload }
    }
    return { line, request, comment }
  })
}

for (const [section, build, count] of [['1. Observe', observe.buildApp, 4], ['2. Edge', edge.buildApp, 4]] as const) {
  t.test(`quick start, ${section}: each curl line answers as its comment says`, async (t) => {
    const app = await ready(t, build())
    const lines = curlLines(section)
    t.equal(lines.length, count)
    for (const { line, request, comment } of lines) {
      const { statusCode, headers, body } = await app.inject(request)
      t.equal(statusCode, 200, line)
      const [, name, value] = /^([a-z-]+): (.+)$/.exec(comment) ?? []
      const text = name === undefined ? body : String(headers[name])
      t.ok(text.includes(value ?? comment), `${line}: ${text}`)
    }
  })
}
