import { ReplyError } from 'ioredis'
import t from 'tap'
import { TickReads } from '../src/connection/tick-reads.js'
import type { Client } from '../src/connection/client.js'

/** A client that records its commands and answers from a map; `failWith` is the error of MGET, `failed` the keys whose GET fails. */
class FakeClient {
  readonly commands: string[][] = []
  readonly values = new Map<string, Buffer>()
  failWith: Error | undefined
  failed = new Set<string>()

  async getBuffer (name: string): Promise<Buffer | null> {
    this.commands.push(['GET', name])
    if (this.failed.has(name)) throw new ReplyError(`WRONGTYPE ${name}`)
    return this.values.get(name) ?? null
  }

  async mgetBuffer (names: string[]): Promise<(Buffer | null)[]> {
    this.commands.push(['MGET', ...names])
    if (this.failWith !== undefined) throw this.failWith
    return names.map((name) => this.values.get(name) ?? null)
  }
}

function make () {
  const client = new FakeClient()
  const refusals: Error[] = []
  return { client, refusals, reads: new TickReads(client as unknown as Client, (error) => refusals.push(error)) }
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
  t.same(await sizes(150), [64, 64, 21], 'small values')
  for (const name of names(150)) client.values.set(name, Buffer.alloc(16_384))
  for (let turn = 0; turn < 20; turn++) await sizes(9)
  t.same(await sizes(11), [4, 4, 2], '16 kB each')
  for (const name of names(150)) client.values.set(name, Buffer.alloc(1_000_000))
  for (let turn = 0; turn < 20; turn++) await sizes(9)
  t.same(await sizes(4), [1, 1, 1], '1 MB each')
})

for (const message of ["NOPERM User u has no permissions to run the 'mget' command", 'ERR unknown command', "CROSSSLOT Keys in request don't hash to the same slot"]) {
  t.test(`MGET is refused (${message.split(' ')[0]}): the reads are answered, one by one from then on, and it is told once`, async (t) => {
    const { client, reads, refusals } = make()
    client.failWith = new ReplyError(message)
    client.values.set('key 2', Buffer.from('two'))
    for (let turn = 0; turn < 3; turn++) {
      t.same((await readAll(reads, names(4))).map((value) => value?.toString()), [undefined, undefined, 'two', undefined])
    }
    t.equal(client.commands.filter(([name]) => name === 'MGET').length, 1)
    t.same(refusals.map((error) => error.message), [message])
  })
}

t.test('MGET fails for a passing reason: the reads are answered, and the next reads are an MGET again', async (t) => {
  const { client, reads, refusals } = make()
  client.failWith = new ReplyError('LOADING Redis is loading the dataset in memory')
  t.same(await readAll(reads, names(3)), [null, null, null])
  client.failWith = undefined
  client.commands.length = 0
  await readAll(reads, names(3))
  t.same(client.commands, [['GET', 'key 0'], ['MGET', 'key 1', 'key 2']])
  t.same(refusals, [])
})

t.test('MGET and every GET fail: each read rejects with its own error, and MGET does not count as refused', async (t) => {
  const { client, reads, refusals } = make()
  client.failWith = new ReplyError('NOAUTH Authentication required.')
  client.failed = new Set(names(3))
  const results = await Promise.allSettled(names(3).map((name) => reads.read(name)))
  t.same(results.map((result) => result.status === 'rejected' && result.reason.message), names(3).map((name) => `WRONGTYPE ${name}`))
  t.same(refusals, [])
})

t.test('the connection fails during an MGET: all its reads reject with that error, and none is sent again', async (t) => {
  const { client, reads } = make()
  client.failWith = new Error('Connection is closed.')
  const results = await Promise.allSettled(names(4).map((name) => reads.read(name)))
  t.same(results.map(({ status }) => status), ['fulfilled', 'rejected', 'rejected', 'rejected'])
  t.equal(client.commands.length, 2)
})
