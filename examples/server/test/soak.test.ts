import t from 'tap'
import { parseSoakOptions } from '../src/soak/options.js'
import type { Usage } from '../src/soak/usage.js'
import { growthOf } from '../src/soak/verdict.js'

const MEBIBYTE = 1024 * 1024
/** Makes the 60 samples of a run; `at` is the position in the run, from 0 to 1. */
const run = (heapMib: (at: number) => number, handles: (at: number) => number = () => 20): Usage[] => Array.from({ length: 60 }, (_, index) => (
  { heapBytes: heapMib(index / 60) * MEBIBYTE, rssBytes: 0, handles: { TCPSocketWrap: Math.round(handles(index / 60)), Timeout: 5 } }))
const isFlat = (samples: Usage[]) => growthOf(samples)?.map((growth) => growth.isFlat)

t.test('growthOf: memory that grows at first and then stays is flat, with single high samples as well', async (t) => {
  t.same(isFlat(run((at) => at < 0.2 ? 30 + 200 * at : 70)), [true, true])
  t.same(isFlat(run((at) => Math.round(at * 60) % 7 === 0 ? 95 : 70)), [true, true])
})

t.test('growthOf: memory or handles that grow until the end are not', async (t) => {
  t.same(isFlat(run((at) => 60 + 30 * at)), [false, true])
  t.same(isFlat(run(() => 70, (at) => 20 + 15 * at)), [true, false])
})

t.test('growthOf: a run with few samples is not judged', async (t) => {
  t.equal(growthOf(run(() => 70).slice(0, 10)), undefined)
})

t.test('parseSoakOptions: the defaults are 30 minutes and a restart every two; a wrong number is refused by name', async (t) => {
  t.same(parseSoakOptions([]), { minutes: 30, restartSeconds: 120, downSeconds: 5, rate: 200, clients: 16 })
  t.match(parseSoakOptions(['--minutes', '0.5', '--restart-seconds', '10']), { minutes: 0.5, restartSeconds: 10 })
  t.equal(parseSoakOptions(['--help']), 'help')
  t.throws(() => parseSoakOptions(['--rate', 'fast']), { code: 'APP_ERR_USAGE', message: /--rate/ })
  t.throws(() => parseSoakOptions(['--hours', '1']), { code: 'APP_ERR_USAGE' })
})
