import type { AdviceStore } from '@x/cache-core/suite'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { nameOfSalt, type AdviceState } from '../../src/advisor/accesses/advice-state.js'
import { AdviceKeeper } from '../../src/advisor/keeping/advice-keeper.js'
import { FileStore } from '../../src/advisor/keeping/file-store.js'
import { packState } from '../../src/advisor/keeping/packed-state.js'
import { MemoryStore, SALT } from '../fixtures/memory-store.js'
import { Processes } from '../fixtures/processes.js'

const OPTIONS = { ttls: [60], entries: [100] }

function stateOf (salt = SALT): AdviceState {
  return { ...new Processes(1, OPTIONS).states()[0]!, saltName: nameOfSalt(salt) }
}

/** Makes a keeper; returns its log lines, and the salts and earlier states with which it began observations. */
function keeperOf (t: Test, store: AdviceStore | undefined, salt?: string, startMs = 60_000) {
  const lines: string[] = []
  const begun: [salt: string | undefined, earlier: AdviceState | undefined][] = []
  const keeper = new AdviceKeeper({
    store,
    salt,
    entries: OPTIONS.entries,
    startMs,
    warn: (line) => { lines.push(line) },
    observe: async (secret, earlier) => { begun.push([secret, earlier]) },
    state: () => stateOf(salt)
  })
  t.teardown(() => keeper.close())
  return { keeper, lines, begun }
}

t.test('start: the observation begins with the salt of the store and the state of the slot', async (t) => {
  const store = new MemoryStore()
  store.place = { slot: 3, state: await packState(stateOf()) }
  const { keeper, lines, begun } = keeperOf(t, store)
  await keeper.start()
  t.match(begun, [[SALT, { saltName: nameOfSalt(SALT), entries: [100] }]])
  await keeper.keep()
  await keeper.close()
  t.equal(store.written.length, 2, 'the state is stored at the close, too')
  t.same(store.released, [3])
  t.same(lines, [])
})

t.test('start: without a store nothing is kept, and the salt of the app is used', async (t) => {
  for (const salt of [undefined, 'a salt of the app']) {
    const { keeper, begun } = keeperOf(t, undefined, salt)
    await keeper.start()
    t.same(begun, [[salt, undefined]])
    t.same(await keeper.others(), [])
  }
})

for (const [what, state, reason] of [
  ['damaged', async () => Buffer.from('no state'), /a stored state is not used: it is damaged/],
  ['of another salt', async () => packState(stateOf('another')), /a stored state is not used: its keys have another salt/]
] as const) {
  t.test(`start: a state that is ${what} is one line of the log, and the observation begins without it`, async (t) => {
    const store = new MemoryStore()
    store.place = { slot: 0, state: await state() }
    store.states = [await state(), await state()]
    const { keeper, lines, begun } = keeperOf(t, store)
    await keeper.start()
    t.same(begun, [[SALT, undefined]])
    t.same(await keeper.others(), [])
    t.equal(lines.length, 1)
    t.match(lines[0], reason)
  })
}

t.test('keep: a store that fails is one line of the log, and is joined when it answers', async (t) => {
  const store = new MemoryStore()
  store.failure = new Error('the store is down')
  const { keeper, lines, begun } = keeperOf(t, store)
  await keeper.start()
  await keeper.keep()
  t.same(begun, [[undefined, undefined]])
  t.same(lines, ['Cache advisor: its state cannot be read: the store is down'])
  store.failure = undefined
  await keeper.keep()
  t.same(begun[1], [SALT, undefined])
  await keeper.keep()
  t.equal(store.written.length, 1)
  store.failure = new Error('the store is down')
  await keeper.keep()
  await keeper.keep()
  t.same(await keeper.others(), [])
  t.match(lines.slice(1), [/cannot be stored/, /states of other processes cannot be read/])
  t.equal(lines.length, 3)
})

t.test('start: a store that hangs delays the start for a limited time, and its salt is used when it comes', async (t) => {
  const store = new MemoryStore()
  let answer = (_salt: string): void => {}
  store.salt = () => new Promise((resolve) => { answer = resolve })
  const { keeper, begun } = keeperOf(t, store, undefined, 1)
  await keeper.start()
  t.same(begun, [[undefined, undefined]])
  answer(SALT)
  await keeper.keep()
  t.same(begun[1], [SALT, undefined])
})

t.test('keep: with its slot taken by another process, which has its state, the process begins anew in another slot', async (t) => {
  const store = new MemoryStore()
  const { keeper, begun } = keeperOf(t, store)
  await keeper.start()
  store.isOurs = false
  store.place = { slot: 7, state: undefined }
  await keeper.keep()
  t.same(begun, [[SALT, undefined], [SALT, undefined]])
  store.isOurs = true
  await keeper.close()
  t.same(store.released, [7])
})

t.test('keep: in a file, a process goes on with the last state of the one that it replaces, as with pm2 reload', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cache-advice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const start = async () => {
    const kept = keeperOf(t, new FileStore(join(folder, 'advice')), 'a salt of the app')
    await kept.keeper.start()
    return kept
  }
  const old = await start()
  await old.keeper.keep()
  const young = await start()
  await old.keeper.close()
  await young.keeper.keep()
  await young.keeper.keep()
  t.equal(young.begun.length, 2, 'it continues the state of the start, and then the last one')
  t.same(young.lines, [])
  const { mtimeMs } = statSync(join(folder, 'advice'))
  await young.keeper.close()
  t.ok(statSync(join(folder, 'advice')).mtimeMs > mtimeMs, 'it goes on writing')
})

t.test('start: with all slots taken the process observes, and one line says that nothing is kept', async (t) => {
  const store = new MemoryStore()
  store.place = undefined
  const { keeper, lines, begun } = keeperOf(t, store)
  await keeper.start()
  await keeper.keep()
  t.same(begun, [[SALT, undefined]])
  t.same(store.written, [])
  t.match(lines, [/16 of them have all places/])
  t.equal(lines.length, 1)
})

t.test('keep: a process without a slot continues the state in the first slot that becomes free, and does not replace it', async (t) => {
  const store = new MemoryStore()
  store.place = undefined
  const { keeper, begun } = keeperOf(t, store)
  await keeper.start()
  await keeper.keep()
  store.place = { slot: 5, state: await packState(stateOf()) }
  await keeper.keep()
  t.match(begun, [[SALT, undefined], [SALT, { saltName: nameOfSalt(SALT) }]])
  t.same(store.written, [], 'the state of the process that has ended is in the slot')
  await keeper.keep()
  t.equal(store.written.length, 1)
  await keeper.close()
  t.same(store.released, [5])
})

t.test('close: a process without a slot leaves the state in a slot that has become free as it is', async (t) => {
  const store = new MemoryStore()
  store.place = undefined
  const { keeper, begun } = keeperOf(t, store)
  await keeper.start()
  store.place = { slot: 5, state: await packState(stateOf()) }
  await Promise.all([keeper.keep(), keeper.close()])
  t.same([store.written.length, store.released.length, begun.length], [0, 0, 1])
})
