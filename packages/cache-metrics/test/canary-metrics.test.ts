import t from 'tap'
import { holds } from '@x/test-kit/servers'
import { buildApp } from './fixtures/build-app.js'
import { scrape } from './fixtures/parse-text.js'
import { run } from './fixtures/run-cli.js'

const STAGE = { holdHours: 8000, minSample: 1, go: {}, back: {} }
const CANARY = { stages: [{ percent: 10, ...STAGE }, { percent: 50, ...STAGE }], baselineHours: 8000, minuteMs: 50, rampSeconds: 0 }

t.test('metrics and command: follow the canary of the app', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory', rollout: { canary: CANARY } })
  app.get('/item', async ({ cache }) => cache.getOrSet('item:1', () => 1))
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const samples = async (): Promise<Record<string, number>> => Object.fromEntries(Object.entries((await scrape(app)).samples)
    .filter(([name]) => name.startsWith('cache_rollout')))
  await holds('the decider has looked', async () => {
    await app.inject('/item')
    return (await samples())['cache_rollout_verdict{verdict="wait"}'] === 1
  }, 60_000)
  t.same(await samples(), {
    cache_rollout_percent: 0,
    cache_rollout_stage: 0,
    cache_rollout_paused: 0,
    'cache_rollout_verdict{verdict="go"}': 0,
    'cache_rollout_verdict{verdict="wait"}': 1,
    'cache_rollout_verdict{verdict="back"}': 0
  })
  t.match(await run(['rollout', 'status', '--app', url]), { status: 2, stdout: /0 % of the subjects are cached, hold-out 1 %: the baseline \(10 → 50\)/ })
  t.match(await run(['rollout', 'to', '50', '--app', url]), { status: 0, stdout: /\| 0 \| 50 \| operator \|/ })
  t.match(await samples(), { cache_rollout_percent: 50, cache_rollout_stage: 2 })
  t.match(await run(['rollout', 'to', '20', '--app', url]), { status: 3, stderr: /answers 400: .*got the percent 20, allowed is 0, 10, 50\n$/ })
  t.match(await run(['rollout', 'to', '20', '--pattern', 'item', '--app', url]), { status: 0, stdout: /key pattern item: 20 %/ })
  t.match(await run(['rollout', 'pause', '--app', url]), { status: 0, stdout: /, paused\n/ })
  t.match(await samples(), { cache_rollout_paused: 1 })
  t.match(await run(['rollout', 'off', '--app', url]), { status: 0, stdout: /off by the kill switch/ })
  t.match(await samples(), { cache_rollout_percent: 0, cache_rollout_stage: 0, cache_rollout_paused: 1 })
  t.match(await run(['rollout', 'status', '--app', url]), { status: 1 })
  t.match(await run(['rollout', 'resume', '--app', url]), { status: 0 })
  await holds('the stage is judged', async () => {
    await app.inject('/item')
    return /## Stage of 0 %/.test((await run(['gates', '--app', url])).stdout)
  }, 60_000)
})

t.test('metrics and command: an app without a canary has no stage', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const { samples } = await scrape(app)
  t.same(Object.keys(samples).filter((name) => name.startsWith('cache_rollout')), ['cache_rollout_percent'])
  t.match(await run(['rollout', 'off', '--app', url]), { status: 3, stderr: /answers 404: .*has the app a canary/ })
  t.equal((await run(['gates', '--app', url])).stderr, '')
})
