import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import type { RedisCacheOptions } from '../../../src/index.js'
import { Random } from '@x/test-kit/virtual-time'
import { isSettled, startCache } from '../../fixtures/caches.js'
import { newPrefix } from '../../fixtures/contract.js'
import { Masters, movesAtOnce, type Master } from '../../fixtures/masters.js'
import { until } from '@x/test-kit/redis-server'
import { Actor, check, checkEnd, LocalSource, sharedNow } from '../../fixtures/world.js'

// SEED=n repeats the random choices of a run, except those of the network. FOR_SECONDS=n makes it run longer, CALLERS=n uses more callers
// in each process.
const { SEED, FOR_SECONDS } = process.env
const MS = Number(FOR_SECONDS ?? 3) * 1000
const HEARTBEAT_TIMEOUT_MS = 400
const PROCESSES = 3
const LEVELS: [name: string, RedisCacheOptions, allowanceMs: number][] = [
  ['bounded', { consistency: 'bounded' }, HEARTBEAT_TIMEOUT_MS],
  ['strong', { consistency: 'strong' }, 0],
  ['near', { near: true }, HEARTBEAT_TIMEOUT_MS]
]

t.setTimeout(8 * MS + 240_000)

t.test('races while slots move', async (t) => {
  const masters = await Masters.start()
  t.teardown(() => masters.close())
  const isAtOnce = await movesAtOnce(masters)

  /**
   * Moves the slots of tokens away and mostly back again, the generation's slot more often than others. Some moves stay half-finished for a
   * while.
   */
  async function moveSlots (prefix: string, random: Random, isOver: () => boolean): Promise<number> {
    const cameFrom = new Map<string, Master>()
    const tokens = ['g', 'g', 'g', 'g', 't:a', 't:b', 't:one:a:0', 't:one:b:1'].map((name) => prefix + name)
    let moves = 0
    for (; !isOver(); moves++) {
      const key = random.pick(tokens)
      const from = await masters.ownerOf(key)
      const back = cameFrom.get(key)
      const to = back !== undefined && random.chance(0.8) ? back : random.pick(masters.all.filter((each) => each !== from))
      cameFrom.set(key, from)
      if (isAtOnce && random.chance(0.5)) {
        await masters.moveAtOnce(key, to)
      } else {
        await masters.beginMove(key, to)
        await wait(random.below(40))
        await masters.moveKeys(key, from, to)
        await wait(random.below(40))
        await masters.endMove(key, from, to)
      }
      await wait(random.below(60))
    }
    return moves
  }

  for (const [name, level, allowanceMs] of LEVELS) {
    t.test(`no call is given what was invalidated, removed or replaced before it (${name})`, async (t) => {
      const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(SEED)
      const options: RedisCacheOptions = {
        mode: 'cluster', url: masters.urls, keyPrefix: newPrefix(), ...level, heartbeatMs: 50, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS, commandTimeoutMs: 1500, breaker: { probeMs: 100 }
      }
      const source = new LocalSource()
      const actors = await Promise.all(
        Array.from({ length: PROCESSES }, async (_, id) => new Actor(id, PROCESSES, await startCache(t, options), source, seed, 20_000))
      )
      const end = sharedNow() + MS
      const isOver = (): boolean => sharedNow() > end
      const [moves] = await Promise.all(
        [moveSlots(options.keyPrefix!, new Random(seed), isOver), ...actors.map((actor) => actor.run(isOver))]
      )
      await until('all are back in service', () => actors.every(({ redis }) => isSettled(redis, level) && redis.status().queuedInvalidations === 0))
      await wait(HEARTBEAT_TIMEOUT_MS)
      for (const actor of actors) await actor.readAll()
      const history = actors.flatMap((actor) => actor.history)
      const failures = [...actors.flatMap((actor) => actor.failures), ...check(history, allowanceMs), ...checkEnd(history)]
      const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0)
      const hits = sum(actors.map((actor) => actor.hits))
      const queued = history.filter((each) => each.kind === 'removed' && !each.isOk).length
      t.comment(`SEED=${seed}: ${moves} moves, ${sum(actors.map((actor) => actor.calls))} calls, ${hits} hits, ${sum(actors.map((actor) => actor.nearHits))} of copies, ${queued} removals queued`)
      t.equal(failures.length, 0, `SEED=${seed}\n${failures.slice(0, 20).join('\n')}`)
      t.ok(moves > 0, 'slots moved')
      t.ok(hits > 0, 'something was served')
    })
  }
})
