import { FakeTime } from '@x/test-kit/fake-time'
import { settle } from '@x/test-kit/deferred'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { CLAIMS, type Claim } from './claims.js'
import { EXPECTATIONS, HTTP_EXPECTATIONS, HTTP_NAMES, NAMES, type Cell } from './expectations.js'
import { HTTP_CLAIMS, HTTP_SUBJECTS } from './http-claims.js'
import { fastifyCaching, SUBJECTS } from './subjects.js'

for (const [sentence, claim] of Object.entries(CLAIMS)) {
  for (const [at, name] of NAMES.entries()) {
    t.test(`${name}: ${sentence}`, async (t) => {
      t.equal(await tried(t, name, claim), EXPECTATIONS[sentence]![at])
    })
  }
}

async function tried (t: Test, name: string, claim: Claim): Promise<Cell> {
  const subject = await SUBJECTS[name]!(claim.setup ?? {})
  if (subject.load === undefined || (claim.needs !== undefined && subject[claim.needs] === undefined)) return 'none'
  const { now } = Date
  const time = new FakeTime(t)
  const start = now()
  Date.now = () => start + time.clock.now()
  t.teardown(async () => {
    // async-cache-dedupe remembers the time for a second, so the clock advances by more than that.
    time.advance(2000)
    await settle()
    Date.now = now
    await subject.close?.()
  })
  return await claim.holds({ subject: { ...subject, load: subject.load }, advance: (seconds) => time.advance(seconds * 1000) }) ? 'yes' : 'no'
}

t.test('@fastify/caching: fastify.cache has no call that loads a value or invalidates by tag', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyCaching)
  const cache = app.cache as unknown as Record<string, unknown>
  t.type(cache.get, 'function')
  t.same(['getOrSet', 'wrap', 'load', 'tags', 'invalidate', 'deleteByTag'].filter((name) => cache[name] !== undefined), [])
})

for (const [sentence, holds] of Object.entries(HTTP_CLAIMS)) {
  for (const [at, name] of HTTP_NAMES.entries()) {
    t.test(`${name}: ${sentence}`, async (t) => {
      const subject = await HTTP_SUBJECTS[name]!()
      t.teardown(() => subject.app.close())
      t.equal(await holds(subject) ? 'yes' : 'no', HTTP_EXPECTATIONS[sentence]![at])
    })
  }
}
