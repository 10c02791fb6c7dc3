import { MemoryCache } from '@x/cache-core'
import t from 'tap'
import { adviceOn, build, numbers, reportOf, Time } from '../fixtures/advised-app.js'

const TTL = 60
const ENTRIES = 1000
const SETTINGS = { advisor: { ttls: [TTL], entries: [ENTRIES], minRequests: 1 } }
type App = Awaited<ReturnType<typeof build>>

/** Runs traffic of reads and writes; returns the hit rate that a `MemoryCache` has, or that the advisor estimates. */
async function run (
  app: App, time: Time, write: (app: App, id: number) => Promise<unknown>, options: (id: number) => object
): Promise<number> {
  await app.ready()
  const draw = numbers(5)
  let reads = 0
  let loads = 0
  for (let turn = 0; turn < 3000; turn++) {
    time.advance(0.05)
    const id = Math.min(draw(200), draw(200))
    if (draw(10) < 2) {
      await write(app, id)
      continue
    }
    reads++
    await app.cache.getOrSet(`item:${id}`, () => { loads++; return { id } }, { ttl: TTL, ...options(id) })
  }
  return 1 - loads / reads
}

const tags = (id: number): string[] => [`item:${id}`, `group:${id % 3}`]
const WRITES: Record<string, [write: (app: App, id: number) => Promise<unknown>, options: (id: number) => object]> = {
  del: [(app, id) => app.cache.del(`item:${id}`), () => ({})],
  delMany: [(app, id) => app.cache.delMany([`item:${id}`, `item:${id + 1}`]), () => ({})],
  'set with a ttl of 0': [(app, id) => app.cache.set(`item:${id}`, 1, 0), () => ({})],
  'a tag': [(app, id) => app.cache.tags.invalidate(`item:${id}`), (id) => ({ tags: tags(id) })],
  'a tag of many keys': [(app, id) => app.cache.tags.invalidate(`group:${id % 3}`), (id) => ({ tags: tags(id) })],
  'a tag from a function of the value': [
    (app, id) => app.cache.tags.invalidate(`item:${id}`),
    () => ({ tags: ({ id }: { id: number }) => tags(id), coveringTags: ['all'] })
  ],
  'a tag, softly': [(app, id) => app.cache.tags.invalidate(`item:${id}`, { soft: true }), (id) => ({ tags: tags(id) })],
  clear: [(app, id) => id === 0 ? app.cache.clear() : Promise.resolve(), () => ({})]
}

for (const [name, [write, options]] of Object.entries(WRITES)) {
  t.test(`report: NullCache foretells the hit rate that MemoryCache has, exactly: ${name}`, async (t) => {
    const times = [new Time(), new Time()] as const
    const observed = await build(t, { time: times[0], metrics: SETTINGS })
    const implementation = new MemoryCache({ maxEntries: ENTRIES, clock: times[1].clock })
    const cached = await build(t, { time: times[1], core: { implementation }, metrics: SETTINGS })
    await run(observed, times[0], write, options)
    const measured = await run(cached, times[1], write, options)
    for (const app of [observed, cached]) {
      const point = adviceOn(await reportOf(app), 'item').points.find(({ ttl, entries }) => ttl === TTL && entries === ENTRIES)!
      t.ok(Math.abs(point.hitRate - measured) < 1e-9, `${point.hitRate} foretold, ${measured} measured`)
    }
    t.ok(measured < 0.97, 'the writes matter')
  })
}

t.test('report: a tags function that throws, or returns no list, fails no call and is counted', async (t) => {
  const app = await build(t, { metrics: SETTINGS })
  await app.ready()
  await app.cache.getOrSet('item:1', () => 1, { tags: () => { throw new Error('no tags') }, coveringTags: ['all'] })
  await app.cache.getOrSet('item:2', () => 2, { tags: () => 7 as unknown as string[], coveringTags: ['all'] })
  const { notes, advice } = await reportOf(app)
  t.equal(advice[0]!.name, 'item')
  t.ok(notes.some((note) => note.includes('could not be looked at')))
})
