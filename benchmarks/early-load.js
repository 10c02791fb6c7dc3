// Does a mixed load of early and normal responses stay right, and flat in memory and handles?
// node early-load.js [--seconds N] [--clients N] [--seam server|hook]: 30 minutes by hand are --seconds 1800.
// Clients ask for pages early and not, in conditional requests, with credentials, in variants, and break off. Writes change the pages and
// purge them. Each sampled response must show a version that was current between the request and its response; with credentials, the
// response must be that of the client. Prints heap and handles every tenth of the time; ends with status 1 if an answer was wrong, or if
// the heap of the last third is larger than that of the middle third by more than 10 % and 4 MB, or a handle remains.
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge, earlyServer } from '@x/cache-edge'
import { median } from './measure.js'

const { seconds, clients, seam } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, clients: { type: 'string', default: '16' }, seam: { type: 'string', default: 'server' } } }).values
const PAGES = 200
const FILLER = 'x'.repeat(2000)
const versions = Array.from({ length: PAGES }, () => 1)
const counts = { asked: 0, stored: 0, notModified: 0, writes: 0, broken: 0, wrong: 0 }
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')

async function startApp () {
  const app = Fastify(seam === 'hook' ? {} : { serverFactory: earlyServer() })
  await app.register(cacheCore, { implementation: 'memory', memory: { maxBytes: 4 * 1024 * 1024 } })
  await app.register(cacheEdge, {
    rules: [{ prefix: '/early', store: true, early: true, maxAge: 2, vary: ['accept-language'] }, { prefix: '/normal', store: true, maxAge: 2 }], personal: ['/early/personal']
  })
  const page = async ({ params: { id }, headers }) => ({ id, version: versions[id], language: headers['accept-language'] ?? '', user: headers.authorization ?? '', FILLER })
  for (const kind of ['early', 'normal']) {
    app.get(`/${kind}/:id`, { config: { cache: { tags: ({ params }) => [`page:${params.id}`] } } }, page)
    app.put(`/${kind}/:id`, async ({ params: { id } }) => {
      versions[id]++
      await app.cache.tags.invalidate(`page:${id}`)
      return { version: versions[id] }
    })
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}

const app = await startApp()
const { port } = app.server.address()
const agent = new Agent({ keepAlive: true, maxSockets: Number(clients) })
const etags = new Map()

function ask (path, { method = 'GET', headers = {}, breaksOff = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: breaksOff ? false : agent }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
    })
    request.on('error', (error) => breaksOff ? resolve(undefined) : reject(error))
    request.end()
    if (breaksOff) request.on('socket', (socket) => socket.once('connect', () => setImmediate(() => request.destroy())))
  })
}

const pick = (limit) => Math.floor(Math.random() * limit)

function fail (what, details) {
  counts.wrong++
  console.error(`wrong: ${what} ${JSON.stringify(details)}`)
}

async function read () {
  // Few pages get most requests.
  const id = Math.random() < 0.8 ? pick(PAGES / 10) : pick(PAGES)
  const language = ['', 'de', 'fr'][pick(3)]
  const user = pick(10) === 0 ? `user${pick(5)}` : ''
  const path = `/${pick(3) === 0 ? 'normal' : 'early'}/${id}`
  const known = `${path} ${language}`
  const isConditional = pick(3) === 0 && etags.has(known)
  const before = versions[id]
  const answer = await ask(path, {
    headers: { host: 'a.example', ...language && { 'accept-language': language }, ...user && { authorization: user }, ...isConditional && { 'if-none-match': etags.get(known).etag } },
    breaksOff: pick(200) === 0
  })
  if (answer === undefined) {
    counts.broken++
    return
  }
  const after = versions[id]
  const { status, headers, text } = answer
  counts.asked++
  if (/; hit/.test(headers['cache-status'])) counts.stored++
  if (status === 304) {
    counts.notModified++
    const { version } = etags.get(known) ?? {}
    if (text !== '' || (!user && headers.etag === etags.get(known)?.etag && (version < before || version > after))) fail('304', { path, version, before, after, headers })
    return
  }
  const body = JSON.parse(text)
  const shown = path.startsWith('/early') ? language : ''
  if (status !== 200 || body.id !== String(id) || body.version < before || body.version > after || body.user !== (user && headers['cache-status'].includes('bypass') ? user : '') || (!user && body.language !== shown)) fail('response', { path, language, user, before, after, body: { ...body, FILLER: undefined }, headers })
  if (user && !headers['cache-status'].includes('personal')) fail('credentials', { path, headers })
  if (!user) etags.set(known, { etag: headers.etag, version: body.version })
}

async function write () {
  counts.writes++
  await ask(`/${pick(2) === 0 ? 'early' : 'normal'}/${pick(PAGES)}`, { method: 'PUT', headers: { host: 'a.example' } })
}

const end = Date.now() + Number(seconds) * 1000
const heaps = []
const handles = () => process.getActiveResourcesInfo().length
async function client () {
  while (Date.now() < end) await (pick(50) === 0 ? write() : read())
}
const looking = setInterval(() => {
  gc()
  heaps.push(process.memoryUsage().heapUsed / 2 ** 20)
  console.log(`${heaps.at(-1).toFixed(1)} MB, ${handles()} handles, ${app.cacheEdge.earlyAnswers} early, ${JSON.stringify(counts)}`)
}, Math.max(100, Number(seconds) * 100))
await Promise.all(Array.from({ length: Number(clients) }, client))
clearInterval(looking)
const { earlyAnswers } = app.cacheEdge
agent.destroy()
await app.close()
if (app.server.listening) await once(app.server, 'close')

const third = Math.floor(heaps.length / 3)
const [middle, last] = [heaps.slice(third, 2 * third), heaps.slice(2 * third)].map((part) => part.length === 0 ? 0 : median(part))
const isFlat = third === 0 || last <= middle * 1.1 + 4
const left = process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|Timeout/.test(name))
console.log(`${earlyAnswers} early, ${JSON.stringify(counts)}; heap ${middle.toFixed(1)} → ${last.toFixed(1)} MB; handles left: ${left.length === 0 ? 'none' : left.join()}`)
if (counts.wrong > 0 || !isFlat || earlyAnswers === 0 || left.length > 0) process.exitCode = 1
