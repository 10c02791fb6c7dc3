import t from 'tap'
import { Freezer } from '../src/caches/memory/freezer.js'
import { isolate, read } from '../src/contract/isolation.js'

t.test('freeze: freezes all the way down', async (t) => {
  const value = { list: [{ deep: {} }], text: 'x', nothing: null }
  new Freezer().freeze(value, true)
  t.throws(() => { value.text = 'changed' }, TypeError)
  t.throws(() => { value.list.push({ deep: {} }) }, TypeError)
  t.throws(() => { Object.assign(value.list[0]!.deep, { a: 1 }) }, TypeError)
})

t.test('freeze: is equal to any depth that can be serialised', async (t) => {
  let deep: unknown = 0
  for (let depth = 0; depth < 3000; depth++) deep = depth % 2 === 0 ? [deep] : { deep }
  const isolated = isolate(deep)
  if ('error' in isolated) throw isolated.error
  const value = read(isolated)
  new Freezer().freeze(value, true)
  t.ok(Object.isFrozen(value))
})

t.test('freeze: a text counts by its characters, a short one that was met before does not count again', async (t) => {
  const freezer = new Freezer()
  t.equal(freezer.freeze('admin', true), 24)
  t.equal(freezer.freeze('admin', true), 0)
  t.equal(freezer.freeze('x'.repeat(100), true), 120)
  t.equal(freezer.freeze('x'.repeat(100), false), 120)
  t.equal(freezer.freeze('ж'.repeat(100), false), 216)
  freezer.clear()
  t.equal(freezer.freeze('admin', true), 24)
})

t.test('freeze: an object whose names are its own counts as the table that V8 makes of it', async (t) => {
  const freezer = new Freezer()
  const shape = (id: number): object => ({ id, size: 1, rank: 2 })
  freezer.freeze(shape(1), true)
  t.equal(freezer.freeze(shape(2), true), 48)
  t.ok(freezer.freeze({ 'id-1': 1, 'id-2': 1, 'id-3': 1 }, true) > 200)
  t.ok(freezer.freeze({ 7001: 1, 9002: 1, 12003: 1 }, true) > 150)
  t.ok(freezer.freeze({ 0: 1, 1: 1, 2: 1 }, true) < 120)
})

t.test('freeze: long names count, those of up to 64 characters once, longer ones in each object', async (t) => {
  const freezer = new Freezer()
  const [uuid, long] = ['67e55044-10b1-426f-9247-bb680e5fe0c8', 'x'.repeat(65)]
  t.ok(freezer.freeze({ [uuid]: 1 }, true) > 200)
  t.equal(freezer.freeze({ [uuid]: 2 }, true), 32)
  for (let turn = 0; turn < 2; turn++) t.ok(freezer.freeze({ [long]: 1 }, true) > 200)
})

t.test('freeze: a value deeper than the stack is frozen to the end, and no RangeError', async (t) => {
  let deep: object = {}
  const end = deep
  for (let level = 0; level < 200_000; level++) deep = level % 2 === 0 ? { deep } : [deep]
  t.ok(new Freezer().freeze(deep, true) > 200_000)
  t.ok(Object.isFrozen(deep) && Object.isFrozen(end))
})
