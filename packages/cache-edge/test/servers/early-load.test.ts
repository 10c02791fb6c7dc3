import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheEdge, earlyServer } from '../../src/index.js'

// SECONDS=1800 runs for half an hour, SEAM=hook answers from the first hook, CLIENTS=n sends more requests at the same time.
const { SECONDS = '2', SEAM = 'server', CLIENTS = '16' } = process.env
const PAGES = 200
const FILLER = 'x'.repeat(2000)
const LOOKS = 12
const MEBIBYTE = 2 ** 20

interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }
type Known = { readonly etag: string; readonly version: number } | undefined
interface Expected {
  readonly id: string; readonly language: string; readonly user: string; readonly before: number; readonly after: number
}
interface Asked { readonly method?: string; readonly headers?: Record<string, string>; readonly breaksOff?: boolean }

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void
const pick = (limit: number): number => Math.floor(Math.random() * limit)
const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!

/** Pages with version numbers: a write makes a new version, and purges the stored ones. */
class Load {
  readonly counts = { asked: 0, stored: 0, notModified: 0, writes: 0, broken: 0 }
  readonly wrong: string[] = []
  readonly #versions = Array<number>(PAGES).fill(1)
  readonly #known = new Map<string, { etag: string; version: number }>()
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number(CLIENTS) })

  private constructor (readonly app: FastifyInstance) {
    for (const kind of ['early', 'normal']) this.#addRoutes(kind)
  }

  static async start (t: Test): Promise<Load> {
    const app = Fastify(SEAM === 'hook' ? {} : { serverFactory: earlyServer() }) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory', memory: { maxBytes: 4 * MEBIBYTE } })
    await app.register(cacheEdge, { rules: [{ prefix: '/early', store: true, early: true, maxAge: 2, vary: ['accept-language'] }, { prefix: '/normal', store: true, maxAge: 2 }] })
    const load = new Load(app)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return load
  }

  #addRoutes (kind: string): void {
    const tags = ({ params }: { params: unknown }): string[] => [`page:${(params as { id: string }).id}`]
    this.app.get<{ Params: { id: string } }>(`/${kind}/:id`, { config: { cache: { tags } } }, async ({ params: { id }, headers }) => (
      { id, version: this.#versions[Number(id)], language: headers['accept-language'] ?? '', user: headers.authorization ?? '', FILLER }
    ))
    this.app.put<{ Params: { id: string } }>(`/${kind}/:id`, async ({ params: { id } }) => {
      this.#versions[Number(id)]!++
      await this.app.cache.tags.invalidate(`page:${id}`)
      return 'done'
    })
  }

  /** Sends requests until a time, or until there was an early answer, if the machine was too slow for one before that time. */
  async run (until: number): Promise<void> {
    while (Date.now() < until || this.app.cacheEdge.earlyAnswers === 0) await (pick(50) === 0 ? this.#write() : this.#read())
  }

  close (): Promise<void> {
    this.#agent.destroy()
    return this.app.close()
  }

  async #write (): Promise<void> {
    this.counts.writes++
    await this.#ask(`/${pick(2) === 0 ? 'early' : 'normal'}/${pick(PAGES)}`, { method: 'PUT' })
  }

  /** Reads a page. A few pages get most of the reads. */
  async #read (): Promise<void> {
    const id = Math.random() < 0.8 ? pick(PAGES / 10) : pick(PAGES)
    const isEarly = pick(3) > 0
    const language = ['', 'de', 'fr'][pick(3)]!
    const user = pick(10) === 0 ? `user${pick(5)}` : ''
    const path = `/${isEarly ? 'early' : 'normal'}/${id}`
    const known = this.#known.get(`${path} ${language}`)
    const isConditional = pick(3) === 0 && known !== undefined
    const before = this.#versions[id]!
    const answer = await this.#ask(path, {
      headers: { ...language !== '' && { 'accept-language': language }, ...user !== '' && { authorization: user }, ...isConditional && { 'if-none-match': known.etag } },
      breaksOff: pick(200) === 0
    })
    if (answer === undefined) return
    const expected = { id: String(id), language: isEarly || user !== '' ? language : '', user, before, after: this.#versions[id]! }
    if (answer.status === 304) this.#judgeMatch(answer, known, expected)
    else this.#judge(answer, expected)
    if (answer.status === 200 && user === '') this.#known.set(`${path} ${language}`, { etag: answer.headers.etag!, version: (JSON.parse(answer.text) as { version: number }).version })
  }

  #judgeMatch ({ headers, text }: Answer, known: Known, { before, after }: Expected): void {
    this.counts.notModified++
    if (text !== '' || headers.etag !== known?.etag || known!.version < before || known!.version > after) this.wrong.push(`304 ${JSON.stringify({ headers, known, before, after })}`)
  }

  /** Checks a response: it must have a version that was current during the request. With credentials it must belong to the client. */
  #judge ({ status, headers, text }: Answer, expected: Expected): void {
    const { version, FILLER: filler, ...page } = JSON.parse(text) as { version: number; FILLER: string }
    const { before, after, ...others } = expected
    const isPersonal = headers['cache-status']!.includes('detail=personal')
    const isRight = status === 200 && filler === FILLER && version >= before && version <= after && isPersonal === (expected.user !== '') &&
      JSON.stringify(page) === JSON.stringify(others)
    if (!isRight) this.wrong.push(JSON.stringify({ status, headers, page, version, expected }))
  }

  #ask (path: string, { method = 'GET', headers = {}, breaksOff = false }: Asked): Promise<Answer | undefined> {
    const { port } = this.app.server.address() as AddressInfo
    return new Promise((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port, path, method, headers: { host: 'a.example', ...headers }, ...!breaksOff ? { agent: this.#agent } : { agent: false } }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('error', () => resolve(undefined))
        response.on('end', () => {
          this.counts.asked++
          if (String(response.headers['cache-status']).includes('; hit')) this.counts.stored++
          resolve({ status: response.statusCode!, headers: response.headers, text })
        })
      })
      request.on('error', (error) => {
        if (!breaksOff) return reject(error)
        this.counts.broken++
        resolve(undefined)
      })
      request.end()
      if (breaksOff) request.on('socket', (socket) => socket.once('connect', () => setImmediate(() => request.destroy())))
    })
  }
}

const handles = (): number => process.getActiveResourcesInfo().filter((name) => name.includes('TCP')).length

t.test('early and normal responses under a mixed load are right, and memory and handles stay flat', async (t) => {
  const before = handles()
  const load = await Load.start(t)
  const heaps: number[] = []
  const look = (): void => {
    gc()
    heaps.push(process.memoryUsage().heapUsed / MEBIBYTE)
    t.comment(`${heaps.at(-1)!.toFixed(1)} MiB, ${handles()} sockets, ${load.app.cacheEdge.earlyAnswers} early, ${JSON.stringify(load.counts)}`)
  }
  const end = Date.now() + Number(SECONDS) * 1000
  const looking = setInterval(look, Number(SECONDS) * 1000 / LOOKS)
  await Promise.all(Array.from({ length: Number(CLIENTS) }, () => load.run(end)))
  clearInterval(looking)
  look()
  const { earlyAnswers } = load.app.cacheEdge
  await load.close()
  for (let turns = 0; turns < 200 && handles() > before; turns++) await wait(50)
  t.same(load.wrong.slice(0, 5), [])
  t.ok(earlyAnswers > 0)
  t.equal(handles(), before, 'sockets')
  const third = Math.ceil(heaps.length / 3)
  const [middle, last] = [median(heaps.slice(third, 2 * third)), median(heaps.slice(-third))]
  t.ok(heaps.length < LOOKS / 2 || last < middle * 1.1 + 4, `heap: ${middle.toFixed(1)}, then ${last.toFixed(1)} MiB`)
})
