// What does a response cost that is sent before the hooks of the app?
// Rivals: a Fastify route that sends a constant Buffer, or a constant 304, with the same headers, and bare node:http that writes the same
// bytes. CPU time of the server's process per request, 16 connections. Wanted: early at most 0.95 of the constant and 1.10 of node:http.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { medianInterval } from './compare/interval.js'
import { median, rateOf, report } from './measure.js'

const MAX_BLOCKS = Number(process.env.BLOCKS ?? 12)
const TURNS_PER_BLOCK = 6
const WARM_UPS = 3
const AMOUNT = 3000
const TOLERANCE = 0.015
const KINDS = ['constant', 'node', 'stored', 'hook', 'server']
const RATIOS = [['hook', 'constant', 0.95], ['server', 'constant', 0.95], ['hook', 'node', 1.10], ['server', 'node', 1.10], ['stored', 'constant', 1.10], ['node', 'constant']]

async function start (kind) {
  const child = fork(new URL('./apps/early.js', import.meta.url), [kind])
  const [port] = await once(child, 'message')
  const url = `http://127.0.0.1:${port}/rows`
  const first = await fetch(url)
  await first.arrayBuffer()
  const etag = first.headers.get('etag') ?? '"none"'
  const ask = async (action) => {
    child.send(action)
    return (await once(child, 'message'))[0]
  }
  /** Microseconds of CPU time per request, user and system. */
  async function turn (is304) {
    const headers = is304 ? { 'if-none-match': etag } : {}
    await ask('begin')
    await rateOf(AMOUNT, { url, connections: 16, headers, statuses: [is304 ? '304' : '200'] })
    const { user, system } = await ask('end')
    return (user + system) / AMOUNT
  }
  return { child, turn }
}

/** The ratios of one block of fresh processes, and the times of each kind. */
async function runBlock (is304, number, times) {
  const sides = Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await start(kind)])))
  const ratios = RATIOS.map(() => [])
  for (let turn = -WARM_UPS; turn < TURNS_PER_BLOCK; turn++) {
    const order = (turn + number) % 2 === 0 ? KINDS : KINDS.toReversed()
    const took = Object.fromEntries(KINDS.map((kind) => [kind, 0]))
    // There and back, so that a drift of the machine cancels out.
    for (const kind of [...order, ...order.toReversed()]) took[kind] += await sides[kind].turn(is304) / 2
    if (turn < 0) continue
    for (const kind of KINDS) times[kind].push(took[kind])
    RATIOS.forEach(([one, other], at) => ratios[at].push(took[one] / took[other]))
  }
  for (const { child } of Object.values(sides)) child.kill()
  return ratios
}

for (const is304 of [false, true]) {
  const times = Object.fromEntries(KINDS.map((kind) => [kind, []]))
  const blocks = RATIOS.map(() => [])
  let intervals = []
  for (let number = 0; number < MAX_BLOCKS; number++) {
    const ratios = await runBlock(is304, number, times)
    ratios.forEach((each, at) => blocks[at].push(each))
    intervals = blocks.map(medianInterval)
    if (intervals.every(({ middle, low, high }) => high - middle <= TOLERANCE * middle && middle - low <= TOLERANCE * middle)) break
  }
  report(`${is304 ? '304' : 'stored response'}: CPU time of the server per request, 16 connections`, [
    ...KINDS.map((kind) => [kind, `${median(times[kind]).toFixed(1)} µs`]),
    ...RATIOS.map(([one, other, wanted], at) => {
      const { middle, low, high } = intervals[at]
      const interval = Number.isFinite(high) ? ` (${low.toFixed(3)}–${high.toFixed(3)})` : ''
      return [`${one} / ${other}`, `${middle.toFixed(3)}${interval}`, wanted === undefined ? undefined : `at most ${wanted.toFixed(2)}`]
    })
  ])
}
