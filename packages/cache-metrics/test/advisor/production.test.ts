import { cacheCore } from '@x/cache-core'
import { inProduction, logTo, type LogLine } from '@x/test-kit/build-app'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheMetrics, type CacheMetricsOptions } from '../../src/index.js'
import { scrape } from '../fixtures/parse-text.js'
import { reportOf, Time, URL } from '../fixtures/advised-app.js'

const guard = async (): Promise<void> => {}

/** Builds an app in production, and reads 30 keys of the pattern `user` ten times each, and one key of the pattern `rare` 20 times. */
async function observed (t: Test, advisor: NonNullable<CacheMetricsOptions['advisor']>, core: object = {}, lines: LogLine[] = []): Promise<FastifyInstance> {
  inProduction(t)
  const app = Fastify({ logger: logTo(lines) as object })
  t.teardown(() => app.close())
  await app.register(cacheCore, { clock: new Time().clock, ...core })
  await app.register(cacheMetrics, { advisor })
  await app.ready()
  for (let turn = 0; turn < 300; turn++) await app.cache.getOrSet(`user:${turn % 30}`, () => turn)
  for (let turn = 0; turn < 20; turn++) await app.cache.getOrSet('rare:1', () => turn)
  return app
}

const said = (lines: readonly LogLine[]) => lines.map(({ msg }) => msg).filter((msg) => msg.startsWith('Cache advisor: '))

t.test('production: by default nothing is observed where the report is closed, and one line says what opens it', async (t) => {
  const lines: LogLine[] = []
  const app = await observed(t, true, {}, lines)
  t.equal(app.cacheMetrics.advisorBytes, 0)
  t.notMatch(Object.keys((await scrape(app)).samples).join(), /advised/)
  const [line, ...more] = said(lines)
  t.match(line, /does not observe, since its report \/internal\/cache\/advice is closed; .*expose: true, guard.*production: true/)
  t.same(more, [])
})

t.test('production: true observes behind a closed report, and the estimate is a metric', async (t) => {
  const lines: LogLine[] = []
  const app = await observed(t, { production: true }, {}, lines)
  t.equal((await app.inject(URL)).statusCode, 404)
  const { samples } = await scrape(app)
  t.same(Object.entries(samples).filter(([name]) => name.includes('advised')), [['cache_advised_hit_rate{key_pattern="user"}', 0.9]], 'a pattern of 20 reads has none')
  const [line, ...more] = said(lines)
  t.match(line, /observes; its report \/internal\/cache\/advice is closed, its estimates are the metric cache_advised_hit_rate/)
  t.same(more, [])
})

t.test('production: where the core opens the report, it is observed without the switch, and no line is needed', async (t) => {
  const lines: LogLine[] = []
  const app = await observed(t, true, { expose: true, guard }, lines)
  t.equal((await reportOf(app)).advice.find(({ name }) => name === 'user')!.hitRate, 0.9)
  t.same(said(lines), [])
})

t.test('production: the metric ends with the advisor', async (t) => {
  const app = await observed(t, { production: true })
  const { registry } = app.cacheMetrics
  t.match(await registry.metrics(), /cache_advised_hit_rate\{/)
  await app.close()
  t.notMatch(await registry.metrics(), /cache_advised_hit_rate\{/)
})
