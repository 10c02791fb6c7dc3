import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { Origin } from '../src/fastify/early/arrival.js'
import { EarlyTargets, type Lesson, type Place } from '../src/fastify/early/early-targets.js'
import { bare, BOTH, sendEarly } from './fixtures/early-app.js'
import { send } from './fixtures/two-clients.js'

function rawOf (host: string): FastifyRequest['raw'] {
  return { headers: { host }, socket: {} } as unknown as FastifyRequest['raw']
}

const ROUTE = {} as Place['route']

function lesson (own: Partial<Lesson> & { host?: string } = {}): Lesson {
  const { host = 'a.example', ...rest } = own
  return { url: '/', variant: '', tags: [], place: { origin: Origin.of(rawOf(host), false)!, route: ROUTE, config: undefined, key: 'key', host }, ...rest }
}

/** Returns how many of these URLs are known. */
const known = (targets: EarlyTargets, count: number): number => Array.from({ length: count }, (_, at) => targets.of(`/${at}`)).filter(Boolean).length

t.test('EarlyTargets: holds few URLs with large tags, and the newest of them', async (t) => {
  const targets = new EarlyTargets()
  const tags = Array.from({ length: 48 }, (_, at) => String(at).padEnd(128, 'x'))
  for (let at = 0; at < 5000; at++) targets.learn(lesson({ url: `/${at}`, tags }))
  t.ok(targets.of('/4999'))
  const count = known(targets, 5000)
  t.ok(count > 100 && count < 1000, `${count} of 5000 URLs with 7 KiB each`)
})

t.test('EarlyTargets: holds few targets with large variants and hosts, however their URLs repeat', async (t) => {
  const targets = new EarlyTargets()
  for (let at = 0; at < 4000; at++) {
    for (let host = 0; host < 3; host++) targets.learn(lesson({ url: `/${at}`, variant: String(at).padEnd(1000, 'v'), host: String(host).padEnd(900, 'h') }))
  }
  const count = known(targets, 4000)
  t.ok(count > 100 && count < 800, `${count} of 4000 URLs with 9 KiB each`)
})

t.test('EarlyTargets: small targets are bounded by their number alone', async (t) => {
  const targets = new EarlyTargets()
  for (let at = 0; at < 2500; at++) targets.learn(lesson({ url: `/${at}` }))
  t.equal(known(targets, 2500), 2500)
})

t.test('EarlyTargets: a variant of more than 2000 characters with its URL and host is not learned', async (t) => {
  const targets = new EarlyTargets()
  targets.learn(lesson({ variant: 'v'.repeat(1900), host: 'h'.repeat(100) }))
  t.equal(targets.of('/'), undefined)
  targets.learn(lesson({ variant: 'v'.repeat(1700), host: 'h'.repeat(100) }))
  t.equal(targets.of('/')!.length, 1)
})

t.test('EarlyTargets: a target with as many variants as it may have learns the next one, and then the others again', async (t) => {
  for (const filler of ['', 'v'.repeat(1000)]) {
    const targets = new EarlyTargets()
    for (let at = 0; at < 1000; at++) targets.learn(lesson({ variant: `${at}${filler}`, tags: [`${at}`] }))
    const target = targets.of('/')![0]!
    t.same(target.tagsOf(`999${filler}`), ['999'])
    t.equal(target.tagsOf(`0${filler}`), undefined)
    targets.learn(lesson({ variant: `0${filler}`, tags: ['new'] }))
    t.same(targets.of('/')![0]!.tagsOf(`0${filler}`), ['new'])
    t.equal(targets.of('/')!.length, 1)
  }
})

t.test('EarlyTargets: the last tags of a variant apply, and another key replaces the target', async (t) => {
  const targets = new EarlyTargets()
  targets.learn(lesson({ tags: ['one'] }))
  targets.learn(lesson({ tags: ['two'] }))
  t.same(targets.of('/')!.map((target) => target.tagsOf('')), [['two']])
  targets.learn(lesson({ tags: ['three'], place: { ...lesson().place, key: 'other' } }))
  t.same(targets.of('/')!.map((target) => [target.place.key, target.tagsOf('')]), [['other', ['three']]])
  for (let at = 0; at < 40; at++) targets.learn(lesson({ host: `${at}.example` }))
  t.equal(targets.of('/')!.length, 16)
})

for (const seam of BOTH) {
  t.test(`early, by ${seam}: a target is learned once its response is stored, and from no other response`, async (t) => {
    const { learn } = EarlyTargets.prototype
    const learned: string[] = []
    EarlyTargets.prototype.learn = function (given: Lesson) {
      learned.push(given.url)
      learn.call(this, given)
    }
    t.teardown(() => { EarlyTargets.prototype.learn = learn })
    const app = await bare(t, seam, { policy: { vary: ['X-Kind'], statuses: [404] } })
    app.get('/private', async (_request, reply) => reply.header('cache-control', 'private').send('page'))
    app.get('/cookie', async (_request, reply) => reply.header('set-cookie', 'a=1').send('page'))
    app.get('/error', async () => { throw new Error('no page') })
    app.get('/broken', async (_request, reply) => reply.send(Readable.from((async function * () { yield 'a'; throw new Error('no end') })())))
    app.get('/page', async () => 'page')
    app.get('/stream', async () => Readable.from(['page']))
    for (let times = 0; times < 2; times++) {
      for (const target of ['/private', '/cookie', '/error', '/broken', '/none']) {
        for (const kind of ['a', 'b'.repeat(4000)]) await send(app, { target, headers: ['Host: a.example', `X-Kind: ${kind}`] })
      }
    }
    t.same(learned, [])
    for (const target of ['/page', '/stream']) {
      await send(app, { target })
      t.same(learned.splice(0), [target])
      t.equal((await sendEarly(app, { target })).isEarly, true)
    }
  })
}

for (const seam of BOTH) {
  for (const later of [undefined, 'params=("utm")']) {
    t.test(`early, by ${seam}: no early response by a No-Vary-Search that was ${later === undefined ? 'withdrawn' : 'changed'}`, async (t) => {
      const app = await bare(t, seam, { policy: { store: 'by-response', noVarySearch: true, vary: ['accept'] } })
      let field: string | undefined = 'params'
      app.get('/a', async ({ url }, reply) => {
        if (field !== undefined) reply.header('no-vary-search', field)
        return reply.header('cache-control', 'max-age=60').send(url)
      })
      for (const isEarly of [false, false, true]) t.match(await sendEarly(app, { target: '/a?1' }), { body: '/a?1', isEarly })
      for (const isEarly of [false, true]) t.match(await sendEarly(app, { target: '/a?2' }), { body: '/a?1', isEarly })
      field = later
      t.match(await sendEarly(app, { target: '/a?3', headers: ['Host: a.example', 'Accept: text/html'] }), { body: '/a?3', isEarly: false })
      t.match(await sendEarly(app, { target: '/a?2' }), { body: '/a?2', isEarly: false }, 'as without early answers')
      t.match(await sendEarly(app, { target: '/a?2' }), { body: '/a?2', isEarly: true })
    })
  }
}
