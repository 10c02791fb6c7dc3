import formbody from '@fastify/formbody'
import { cacheCore } from '@x/cache-core'
import t, { type Test } from 'tap'
import { bareApp } from '@x/test-kit/build-app'

const PATH = '/internal/cache/rollout'
const OFF = JSON.stringify({ action: 'off' })

async function build (t: Test) {
  const app = bareApp(t)
  await app.register(formbody)
  await app.register(cacheCore, { implementation: 'memory', rollout: { canary: true } })
  const off = async (headers: Record<string, string>, payload = OFF) => {
    const response = await app.inject({ method: 'POST', url: PATH, headers: { host: 'app.example:8900', 'content-type': 'application/json', ...headers }, payload })
    return { status: response.statusCode, code: response.json().code, isOff: (await app.inject(PATH)).json().killed }
  }
  return { app, off }
}

for (const [what, headers] of [
  ['cache-advisor, which is no browser', {}],
  ['the console', { 'sec-fetch-site': 'same-origin', origin: 'http://app.example:8900' }],
  ['the console behind a proxy with TLS', { 'sec-fetch-site': 'same-origin', origin: 'https://app.example' }],
  ['an address that a user entered', { 'sec-fetch-site': 'none' }],
  ['the console without TLS, where browsers send no Sec-Fetch-Site', { origin: 'http://app.example:8900' }],
  ['the console behind a proxy that adds the default port to the host', { origin: 'http://app.example', host: 'app.example:80' }],
  ['the console behind a proxy with TLS that does so, where browsers send no Sec-Fetch-Site', { origin: 'https://app.example', host: 'app.example:443' }],
  ['the console on a host in upper case', { origin: 'http://app.example:8900', host: 'APP.example:8900' }]
] as const) {
  t.test(`POST rollout: carries out the action of ${what}`, async (t) => {
    const { off } = await build(t)
    t.match(await off(headers), { status: 200, isOff: true })
  })
}

for (const [what, headers] of [
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['another host of the same site', { 'sec-fetch-site': 'same-site', origin: 'https://other.app.example' }],
  ['a value that is unknown', { 'sec-fetch-site': 'next-site' }],
  ['another origin, without Sec-Fetch-Site', { origin: 'http://evil.example' }],
  ['another port, without Sec-Fetch-Site', { origin: 'http://app.example:8901' }],
  ['another origin, with no host to compare with', { origin: 'http://evil.example', host: '' }],
  ['the default port, on another one', { origin: 'http://app.example', host: 'app.example:443' }],
  ['an opaque origin', { origin: 'null' }],
  ['an origin that is none', { origin: 'app.example:8900' }]
] as const) {
  t.test(`POST rollout: refuses the page of ${what}`, async (t) => {
    const { off } = await build(t)
    t.match(await off(headers), { status: 403, code: 'CACHE_ERR_ROLLOUT_FOREIGN', isOff: false })
  })
}

for (const [type, payload] of [['application/x-www-form-urlencoded', 'action=off'], ['text/plain', OFF], ['application/jsonp', OFF]] as const) {
  t.test(`POST rollout: refuses a body of the type ${type}, which the app may parse`, async (t) => {
    const { app, off } = await build(t)
    if (type === 'application/jsonp') app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => done(null, JSON.parse(body as string)))
    t.match(await off({ 'content-type': type }, payload), { status: 400, code: 'CACHE_ERR_ROLLOUT_ACTION', isOff: false })
  })
}

t.test('POST rollout: the type of JSON may have parameters, and any case that Fastify parses', async (t) => {
  const { app, off } = await build(t)
  app.post('/parsed', async () => 'x')
  t.match(await off({ 'content-type': 'application/json; charset=utf-8' }), { status: 200 })
  const headers = { 'content-type': 'Application/JSON; charset=utf-8' }
  // Fastify 5.0 answers 415.
  t.equal((await off(headers)).status, (await app.inject({ method: 'POST', url: '/parsed', headers, payload: '{}' })).statusCode)
})

t.test('POST rollout: a stranger is refused by the guard, whatever the origin is', async (t) => {
  const app = bareApp(t)
  await app.register(cacheCore, { implementation: 'memory', rollout: { canary: true }, guard: async (_request, reply) => reply.code(401).send({ error: 'no' }) })
  t.equal((await app.inject({ method: 'POST', url: PATH, headers: { origin: 'http://evil.example' }, payload: { action: 'off' } })).statusCode, 401)
})
