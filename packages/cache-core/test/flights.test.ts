import t from 'tap'
import { Flight, Flights } from '../src/loading/single-flight.js'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'

function flight (key: string, tags: string[] = [], hasLateTags = false): Flight<any> {
  return new Flight(key, tags, { hasLateTags })
}

t.test('joinable: from its begin to its end', async (t) => {
  const flights = new Flights()
  const one = flight('a')
  flights.begin(one)
  t.equal(flights.joinable('a'), one)
  t.equal(flights.joinable('b'), undefined)
  flights.end(one)
  t.equal(flights.joinable('a'), undefined)
})

t.test('supersede, supersedeTags, supersedeAll: nobody joins any more', async (t) => {
  for (const supersede of [
    (flights: Flights) => flights.supersede(['other', 'a']),
    (flights: Flights) => flights.supersedeTags(['other', 't2']),
    (flights: Flights) => flights.supersedeAll()
  ]) {
    const flights = new Flights()
    const [one, untouched] = [flight('a', ['t1', 't2']), flight('b', ['t3'])]
    flights.begin(one)
    flights.begin(untouched)
    supersede(flights)
    t.ok(one.isSuperseded)
    t.equal(flights.joinable('a'), undefined)
    const next = flight('a')
    flights.begin(next)
    flights.end(one)
    t.equal(flights.joinable('a'), next, 'the end of the old one leaves the new one')
  }
})

t.test('supersede: leaves other keys and tags alone', async (t) => {
  const flights = new Flights()
  const one = flight('a', ['t1'])
  flights.begin(one)
  flights.supersede(['b'])
  flights.supersedeTags(['t2'])
  t.notOk(one.isSuperseded)
  t.equal(flights.joinable('a'), one)
})

t.test('supersedeTags: is remembered by flights whose tags are not known yet', async (t) => {
  const flights = new Flights()
  const [late, plain] = [flight('a', ['c'], true), flight('b')]
  flights.begin(late)
  flights.begin(plain)
  flights.supersedeTags(['x', 'y'])
  t.same(late.invalidated, new Set(['x', 'y']))
  t.notOk(late.isSuperseded)
  t.equal(plain.invalidated, undefined)
  flights.end(late)
  flights.supersedeTags(['z'])
  t.notOk(late.invalidated!.has('z'))
})

t.test('end: forgets the flight and its tags, and may come twice', async (t) => {
  const flights = new Flights()
  const [one, other] = [flight('a', ['t', 't']), flight('b', ['t'])]
  flights.begin(one)
  flights.begin(other)
  flights.end(one)
  flights.end(one)
  flights.supersedeTags(['t'])
  t.notOk(one.isSuperseded)
  t.ok(other.isSuperseded)
})

t.test('store: runs at once; a second one of the key after the first, whatever became of others', async (t) => {
  const flights = new Flights()
  const gates = [deferred(), deferred(), deferred()]
  const began: number[] = []
  const store = (at: number) => () => { began.push(at); return gates[at]!.promise }
  const first = flights.store(['a'], store(0))
  const second = flights.store(['a', 'b'], store(1))
  const third = flights.store(['b'], store(2))
  t.same(began, [0])
  gates[1]!.resolve()
  gates[0]!.resolve()
  await first
  await second
  await settle()
  t.same(began, [0, 1, 2])
  t.equal(await stateOf(third), 'pending')
  gates[2]!.resolve()
  await third
  t.equal(flights.storing(['a', 'b']), undefined)
})

t.test('store: answers with what the store answered', async (t) => {
  const flights = new Flights()
  t.equal(await flights.store(['a'], async () => 'answer'), 'answer')
})

t.test('storing: lasts until the last store of any of the keys has ended', async (t) => {
  const flights = new Flights()
  t.equal(flights.storing(['a']), undefined)
  const gates = [deferred(), deferred()]
  void flights.store(['a'], () => gates[0]!.promise)
  void flights.store(['a'], () => gates[1]!.promise)
  t.equal(flights.storing(['b']), undefined)
  const storing = flights.storing(['b', 'a'])!
  gates[0]!.resolve()
  t.equal(await stateOf(storing), 'pending')
  gates[1]!.resolve()
  await storing
  t.equal(flights.storing(['a']), undefined)
})

t.test('allStored: waits for all stores that are under way now', async (t) => {
  const flights = new Flights()
  const gates = [deferred(), deferred()]
  void flights.store(['a'], () => gates[0]!.promise)
  const all = flights.allStored()
  void flights.store(['b'], () => gates[1]!.promise)
  t.equal(await stateOf(all), 'pending')
  gates[0]!.resolve()
  await all
  gates[1]!.resolve()
  await new Flights().allStored()
})

t.test('snapshotValue: joiners get copies of the value as it was, the primitive itself', async (t) => {
  const one = flight('a')
  const value = { n: 1, buffer: Buffer.from('x') }
  one.loaded = Promise.resolve(value)
  const joined = one.join()
  one.snapshotValue(value, false)
  value.n = 2
  t.same(await joined, { n: 1, buffer: Buffer.from('x').toJSON() })
  t.not(await one.join(), await one.join())
  const plain = flight('b')
  plain.loaded = Promise.resolve(7)
  plain.snapshotValue(7, true)
  t.equal(await plain.join(), 7)
})

t.test('snapshotValue: costs nothing when nobody has joined nor can', async (t) => {
  const one = flight('a')
  const value = { toJSON: () => t.fail('was serialised') }
  one.snapshotValue(value, false)
  t.equal(one.copyOf(value), value)
})
