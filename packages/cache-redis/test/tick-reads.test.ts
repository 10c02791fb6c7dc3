import { ReplyError } from 'ioredis'
import t from 'tap'
import { TickReads } from '../src/connection/tick-reads.js'
import type { Client } from '../src/connection/client.js'

/**
 * A client that records its commands and answers from a map; `failWith` is the error of MGET, `answer` its answer in place of values, `failed`
 * the keys whose GET fails.
 */
class FakeClient {
  readonly commands: string[][] = []
  readonly values = new Map<string, Buffer>()
  failWith: Error | undefined
  answer: unknown
  failed = new Set<string>()

  async getBuffer (name: string): Promise<Buffer | null> {
    this.commands.push(['GET', name])
    if (this.failed.has(name)) throw new ReplyError(`WRONGTYPE ${name}`)
    return this.values.get(name) ?? null
  }

  async mgetBuffer (names: string[]): Promise<(Buffer | null)[]> {
    this.commands.push(['MGET', ...names])
    if (this.failWith !== undefined) throw this.failWith
    if (this.answer !== undefined) return this.answer as Buffer[]
    return names.map((name) => this.values.get(name) ?? null)
  }
}

function make () {
  const client = new FakeClient()
  const refusals: Error[] = []
  const clock = { now: 0 }
  return { client, clock, refusals, reads: new TickReads(client as unknown as Client, (error) => refusals.push(error), () => clock.now) }
}

const names = (count: number) => Array.from({ length: count }, (_, at) => `key ${at}`)
const readAll = (reads: TickReads, keys: readonly string[]) => Promise.all(keys.map((key) => reads.read(key)))

t.test('reads of one tick: the first is a GET at once, the others are one MGET, and each gets its own value', async (t) => {
  const { client, reads } = make()
  for (const name of ['a', 'b', 'd']) client.values.set(name, Buffer.from(name.toUpperCase()))
  const reading = readAll(reads, ['a', 'b', 'c', 'd', 'b'])
  t.same(client.commands, [['GET', 'a']])
  t.same((await reading).map((value) => value?.toString()), ['A', 'B', undefined, 'D', 'B'])
  t.same(client.commands, [['GET', 'a'], ['MGET', 'b', 'c', 'd', 'b']])
})

t.test('reads of different ticks are a GET each, also those that follow an answer', async (t) => {
  const { client, reads } = make()
  for (const name of ['a', 'b', 'c']) {
    await reads.read(name)
    await new Promise((resolve) => { process.nextTick(resolve) })
  }
  t.same(client.commands, [['GET', 'a'], ['GET', 'b'], ['GET', 'c']])
})

t.test('an MGET reads at most 64 values, and fewer if values are large', async (t) => {
  const { client, reads } = make()
  const sizes = async (count: number) => {
    client.commands.length = 0
    await readAll(reads, names(count))
    return client.commands.slice(1).map((command) => command.length - 1)
  }
  t.same(await sizes(11), [8, 2], 'of unknown size, values count as 8 kB')
  for (let turn = 0; turn < 20; turn++) await sizes(65)
  t.same(await sizes(11), [8, 2], 'a missing value has no size')
  for (const name of names(150)) client.values.set(name, Buffer.alloc(100))
  for (let turn = 0; turn < 40; turn++) await sizes(65)
  t.same(await sizes(150), [64, 64, 21], 'small values')
  for (const name of names(150)) client.values.set(name, Buffer.alloc(16_384))
  for (let turn = 0; turn < 20; turn++) await sizes(9)
  t.same(await sizes(11), [4, 4, 2], '16 kB each')
  for (const name of names(150)) client.values.set(name, Buffer.alloc(1_000_000))
  for (let turn = 0; turn < 20; turn++) await sizes(9)
  t.same(await sizes(4), [1, 1, 1], '1 MB each')
})

for (const message of ["NOPERM User u has no permissions to run the 'mget' command", 'ERR unknown command', "CROSSSLOT Keys in request don't hash to the same slot"]) {
  t.test(`MGET is refused (${message.split(' ')[0]}): the reads are answered, one by one for a minute, and each refusal is told`, async (t) => {
    const { client, clock, reads, refusals } = make()
    client.failWith = new ReplyError(message)
    client.values.set('key 2', Buffer.from('two'))
    for (let turn = 0; turn < 3; turn++) {
      t.same((await readAll(reads, names(4))).map((value) => value?.toString()), [undefined, undefined, 'two', undefined])
    }
    const sent = () => client.commands.filter(([name]) => name === 'MGET').length
    t.equal(sent(), 1)
    t.same(refusals.map((error) => error.message), [message])
    clock.now = 60_000
    await readAll(reads, names(3))
    t.same([sent(), refusals.length], [2, 2])
    client.failWith = undefined
    clock.now = 119_999
    await readAll(reads, names(3))
    t.equal(sent(), 2)
    clock.now = 120_000
    for (let turn = 0; turn < 2; turn++) await readAll(reads, names(3))
    t.same([sent(), refusals.length], [4, 2], 'it is allowed now')
  })
}

t.test('MGET is redirected: the reads are answered, and the next reads are an MGET again', async (t) => {
  const { client, reads, refusals } = make()
  client.failWith = new ReplyError('TRYAGAIN Multiple keys request during rehashing of slot')
  t.same(await readAll(reads, names(3)), [null, null, null])
  client.failWith = undefined
  client.commands.length = 0
  await readAll(reads, names(3))
  t.same(client.commands, [['GET', 'key 0'], ['MGET', 'key 1', 'key 2']])
  t.same(refusals, [])
})

t.test('the server answers no command: each read of the MGET rejects, and none is sent again', async (t) => {
  for (const message of ['LOADING Redis is loading the dataset in memory', 'NOAUTH Authentication required.', 'MASTERDOWN Link with MASTER is down']) {
    const { client, reads, refusals } = make()
    client.failWith = new ReplyError(message)
    const results = await Promise.allSettled(names(3).map((name) => reads.read(name)))
    t.same(results.slice(1).map((result) => result.status === 'rejected' && result.reason.message), [message, message])
    t.equal(client.commands.length, 2)
    t.same(refusals, [])
  }
})

t.test('MGET and every GET are refused: each read rejects with its own error, and nothing is told of MGET', async (t) => {
  const { client, reads, refusals } = make()
  client.failWith = new ReplyError('NOPERM')
  client.failed = new Set(names(3))
  const results = await Promise.allSettled(names(3).map((name) => reads.read(name)))
  t.same(results.map((result) => result.status === 'rejected' && result.reason.message), names(3).map((name) => `WRONGTYPE ${name}`))
  t.same(refusals, [])
})

t.test('an answer that is no list of as many values, as within MULTI of the client: each value is read by a GET', async (t) => {
  for (const answer of [Buffer.from('QUEUED'), null, 7, [], [null], [null, null, null]]) {
    const { client, reads, refusals } = make()
    client.values.set('key 1', Buffer.from('one'))
    client.answer = answer
    t.same((await readAll(reads, names(3))).map((value) => value?.toString()), [undefined, 'one', undefined])
    t.same(refusals, [])
  }
})

t.test('an error in place of a single value is the error of that read alone', async (t) => {
  const { client, reads } = make()
  client.answer = [new ReplyError('ERR upstream failure'), Buffer.from('two')]
  const [, failed, found] = await Promise.allSettled(names(3).map((name) => reads.read(name)))
  t.match(failed, { status: 'rejected', reason: { message: 'ERR upstream failure' } })
  t.same(found, { status: 'fulfilled', value: Buffer.from('two') })
})

t.test('an MGET that fails without an answer, as one that is too large for a time limit: the next ones are smaller', async (t) => {
  const { client, reads } = make()
  for (const name of names(80)) client.values.set(name, Buffer.alloc(10))
  for (let turn = 0; turn < 40; turn++) await readAll(reads, names(65))
  const sizes: number[] = []
  for (let turn = 0; turn < 4; turn++) {
    client.commands.length = 0
    client.failWith = new Error('Command timed out')
    await Promise.allSettled(names(65).map((name) => reads.read(name)))
    sizes.push(client.commands[1]!.length - 1)
  }
  t.same(sizes, [64, 8, 1, 1])
})

t.test('many MGETs fail without an answer, as while Redis is paused: afterwards reads are answered, and a few answers, misses too, end the small MGETs', async (t) => {
  const { client, reads } = make()
  for (const name of names(80)) client.values.set(name, Buffer.alloc(10))
  for (let turn = 0; turn < 40; turn++) await readAll(reads, names(65))
  client.failWith = new Error('Command timed out')
  for (let turn = 0; turn < 1100; turn++) await Promise.allSettled(names(2).map((name) => reads.read(name)))
  client.failWith = undefined
  client.commands.length = 0
  t.same(await readAll(reads, names(3)), [Buffer.alloc(10), Buffer.alloc(10), Buffer.alloc(10)])
  t.same(client.commands.slice(1), [['MGET', 'key 1'], ['MGET', 'key 2']])
  const missing = Array.from({ length: 9 }, (_, at) => `missing ${at}`)
  for (let turn = 0; turn < 3; turn++) await readAll(reads, missing)
  client.commands.length = 0
  await readAll(reads, names(65))
  t.same(client.commands.slice(1).map((command) => command.length - 1), [64])
})

t.test('values without a size, as a proxy or a client of the app may give: the next reads are answered', async (t) => {
  const { client, reads } = make()
  client.answer = [7, { a: 1 }]
  await readAll(reads, names(3))
  client.answer = undefined
  t.same(await readAll(reads, names(3)), [null, null, null])
})

t.test('the connection fails during an MGET: all its reads reject with that error, and none is sent again', async (t) => {
  const { client, reads } = make()
  client.failWith = new Error('Connection is closed.')
  const results = await Promise.allSettled(names(4).map((name) => reads.read(name)))
  t.same(results.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected', 'rejected'])
  t.equal(client.commands.length, 2)
})
