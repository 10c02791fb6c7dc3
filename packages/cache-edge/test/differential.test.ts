import fc from 'fast-check'
import t from 'tap'
import { steps } from './fixtures/differential/client-request.js'
import { echoConfig, type EchoConfig } from './fixtures/differential/echo-config.js'
import { early } from './fixtures/early.js'
import { World, type Tally } from './fixtures/differential/world.js'
import { NOON } from './fixtures/edge-app.js'

// REQUESTS=n sends more requests, SEED=n repeats the batch of a failure, WORLD='{"http":2}' fixes parts of the apps, SHRINK=0 does not
// simplify a failure.
const { SEED, REQUESTS = '600', WORLD = '{}', SHRINK } = process.env
const WORLDS_PER_BATCH = 10
/** The settings of apps that allow early answers. */
const EARLY = { rewriteUrl: 'none', headerValidator: 'none', sameForAll: false, hasSendHook: false } as const

t.test('a stored response is what the handler would have told the client that is given it', async (t) => {
  const { now } = Date
  const clock = { elapsed: 0 }
  t.teardown(() => { Date.now = now })
  const first = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED)
  const fixed: Partial<EchoConfig> = { ...early.isOn ? EARLY : {}, ...JSON.parse(WORLD) as Partial<EchoConfig> }
  const tally: Tally = { asked: 0, stored: 0, early: 0 }
  t.comment(`SEED=${first}`)
  Date.now = () => NOON + clock.elapsed
  for (let seed = first; tally.asked === 0 || (SEED === undefined && tally.asked < Number(REQUESTS)); seed++) {
    const details = await fc.check(fc.asyncProperty(echoConfig, steps, async (config, requests) => {
      const world = await World.of({ ...config, ...fixed }, clock)
      try {
        await world.run(requests, tally)
      } finally {
        await world.close(tally)
      }
    }), { seed, numRuns: WORLDS_PER_BATCH, endOnFailure: SHRINK === '0' })
    if (!details.failed) continue
    t.fail(`SEED=${seed}: ${String((details.errorInstance as Error | null)?.message)}`, { report: fc.defaultReportMessage(details) })
    return
  }
  t.comment(`${tally.asked} requests, ${tally.stored} of them answered from the store, ${tally.early} early`)
  t.ok(tally.stored > tally.asked / 20, 'a good part is answered from the store, so that this means something')
  t.equal(tally.early > tally.stored / 20, early.isOn, 'early answers where they are on')
})
