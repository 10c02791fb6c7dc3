import fc from 'fast-check'
import t from 'tap'
import { InvalidationQueue, type Removal } from '../src/service/invalidation-queue.js'

const tag = (name: string): Removal => ({ kind: 'tag', name })
const CLEAR: Removal = { kind: 'clear' }

/** Replays the queue to a function that acknowledges every removal; returns the removals in order. */
async function drained (queue: InvalidationQueue): Promise<Removal[]> {
  const got: Removal[] = []
  const isDone = await queue.replay(async (removal) => { got.push(removal); return true })
  t.ok(isDone)
  return got
}

t.test('queue: keeps each removal once, and replays in order', async (t) => {
  const queue = new InvalidationQueue(10)
  queue.add([tag('a'), { kind: 'del', name: 'a' }, { kind: 'soft', name: 'a' }, tag('b'), tag('a')])
  t.equal(queue.size, 4)
  t.strictSame(await drained(queue), [tag('a'), { kind: 'del', name: 'a' }, { kind: 'soft', name: 'a' }, tag('b')])
  t.equal(queue.size, 0)
  t.strictSame(await drained(queue), [])
})

t.test('queue: what does not fit becomes one clear, which covers everything', async (t) => {
  const queue = new InvalidationQueue(2)
  queue.add([tag('a'), tag('b')])
  t.equal(queue.size, 2)
  queue.add([tag('c'), tag('d')])
  t.equal(queue.size, 1)
  queue.add([tag('e')])
  t.strictSame(await drained(queue), [CLEAR])
})

t.test('queue: one that is known already does not make it overflow', async (t) => {
  const queue = new InvalidationQueue(2)
  queue.add([tag('a'), tag('b'), tag('a'), tag('b')])
  t.strictSame(await drained(queue), [tag('a'), tag('b')])
})

t.test('queue: a clear replaces what waits', async (t) => {
  const queue = new InvalidationQueue(10)
  queue.add([tag('a'), CLEAR, tag('b')])
  t.strictSame(await drained(queue), [CLEAR])
})

t.test('queue: what is not taken stays, the rest is gone', async (t) => {
  const queue = new InvalidationQueue(10)
  queue.add([tag('a'), tag('b'), tag('c')])
  t.equal(await queue.replay(async (removal) => removal.kind === 'tag' && removal.name !== 'b'), false)
  t.equal(queue.size, 1)
  t.strictSame(await drained(queue), [tag('b')])
})

t.test('queue: one that is on its way counts, and added again meanwhile it is sent again', async (t) => {
  const queue = new InvalidationQueue(10)
  queue.add([tag('a')])
  const sent: Removal[] = []
  const done = await queue.replay(async (removal) => {
    t.equal(queue.size, 1)
    sent.push(removal)
    if (sent.length === 1) {
      // An equal removal is added while the first one is sent. It must be sent again, since Redis may have received entries after the first
      // one.
      queue.add([tag('a')])
      t.equal(queue.size, 2)
    }
    return true
  })
  t.equal(done, true)
  t.strictSame(sent, [tag('a'), tag('a')])
})

t.test('queue: a large one is sent a batch at a time', async (t) => {
  const queue = new InvalidationQueue(1000)
  queue.add(Array.from({ length: 250 }, (_, at) => tag(String(at))))
  let underWay = 0
  let most = 0
  await queue.replay(async () => {
    most = Math.max(most, ++underWay)
    await null
    underWay--
    return true
  })
  t.equal(most, 100)
})

t.test('queue: nothing is ever lost, and it never holds more than it may', async () => {
  const removal = fc.record({ kind: fc.constantFrom('del', 'tag', 'soft'), name: fc.constantFrom('a', 'b', 'c', 'd', 'e') })
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record(
        { add: fc.array(fc.oneof({ weight: 20, arbitrary: removal }, { weight: 1, arbitrary: fc.constant(CLEAR) }), { maxLength: 4 }) }
      )
    },
    {
      weight: 1,
      arbitrary: fc.record(
        { answers: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), meanwhile: fc.array(removal, { maxLength: 2 }) }
      )
    }
  )
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 30 }), async (max, steps) => {
    const queue = new InvalidationQueue(max)
    /** The removals that Redis has not acknowledged. */
    const owed = new Set<string>()
    const id = (each: Removal): string => JSON.stringify(each)
    const owe = (each: Removal): void => { owed.add(id(each)) }
    for (const step of steps) {
      if ('add' in step) {
        queue.add(step.add as Removal[])
        for (const each of step.add) owe(each as Removal)
      } else {
        let turn = 0
        await queue.replay(async (each) => {
          const isTaken = step.answers[turn++ % step.answers.length]!
          // Commands that were sent before do not acknowledge removals that are added from now on.
          const paid = each.kind === 'clear' ? [...owed] : [id(each)]
          if (isTaken) for (const name of paid) owed.delete(name)
          if (turn === 1) {
            queue.add(step.meanwhile as Removal[])
            for (const other of step.meanwhile) owe(other as Removal)
          }
          return isTaken
        })
      }
      if (queue.size > max) throw new Error(`holds ${queue.size} of ${max}`)
    }
    await queue.replay(async (each) => {
      if (each.kind === 'clear') owed.clear()
      else owed.delete(id(each))
      return true
    })
    if (owed.size > 0) throw new Error(`lost: ${[...owed].join(' ')}`)
  }), { numRuns: 300 })
})
