import { deferred, settle } from '@x/test-kit/deferred'
import t from 'tap'
import type { Serialised } from '../src/entries/codec.js'
import { EntryWriter, type EntryWriterDeps } from '../src/entries/entry-writer.js'
import { GENERATION } from '../src/entries/keys.js'
import { RedisLease } from '../src/entries/leases.js'

const TIMEOUT_MS = 500
const generation = { token: 'token', serverId: 'server-1' }
const value: Serialised = { kind: 0, bytes: '1', size: 1 }

/** Makes a writer over a store that records the commands; each part of the writer may be replaced. */
function writerOver (parts: { isCluster?: boolean; [part: string]: unknown } = {}) {
  const sent: string[] = []
  const clock = { now: 0 }
  const { isCluster = true, tokens, entries, leases } = parts as { isCluster?: boolean; tokens?: object; entries?: object; leases?: object }
  const writer = new EntryWriter({
    connection: { isCluster, client: { nodes: () => [] } },
    tokens: {
      remembered: () => undefined,
      ask: async () => generation,
      captureForSet: async () => new Map([[GENERATION, generation]]),
      extend: async () => {},
      ...tokens
    },
    entries: {
      nameOf: (_generation: unknown, key: string) => key,
      write: async (_name: string, _generation: unknown, _ms: number, encode: (fence?: string) => Promise<string>) => { sent.push(`set ${await encode()}`) },
      remove: async (key: string) => { sent.push(`del ${key}`) },
      ...entries
    },
    leases: { ...leases },
    lifetimes: {},
    codec: { encode: async ({ bytes }: Serialised) => bytes },
    defaultTtl: 60,
    commandTimeoutMs: TIMEOUT_MS,
    now: () => clock.now
  } as unknown as EntryWriterDeps)
  return { writer, sent, clock }
}

t.test('set, del: a removal waits for the entry that is on its way, also where the token of the entry was refused first', async (t) => {
  const arrives = deferred<void>()
  const order: string[] = []
  const { writer } = writerOver({
    tokens: { extend: () => Promise.reject(new Error('refused')) },
    entries: {
      write: async () => {
        await arrives.promise
        order.push('set')
      },
      remove: async () => { order.push('del') }
    }
  })
  const stored = writer.store('key', value, {}, 0)
  const removed = writer.remove('key')
  await settle()
  t.same(order, [], 'the removal has not been sent')
  arrives.resolve()
  await t.rejects(stored, { message: 'refused' })
  await removed
  t.same(order, ['set', 'del'])
})

t.test('set, del: a removal waits for the entry that is on its way, also where the question for the generation was refused first', async (t) => {
  const arrives = deferred<void>()
  const order: string[] = []
  const { writer } = writerOver({
    isCluster: false,
    tokens: { remembered: () => generation, ask: () => Promise.reject(new Error('refused')) },
    entries: {
      write: async () => {
        await arrives.promise
        order.push('set')
      },
      remove: async () => { order.push('del') }
    }
  })
  const stored = writer.store('key', value, {}, 0)
  const removed = writer.remove('key')
  await settle()
  t.same(order, [], 'the removal has not been sent')
  arrives.resolve()
  await t.rejects(stored, { message: 'refused' })
  await removed
  t.same(order, ['set', 'del'])
})

t.test('set: one that has timed out is not sent any more', async (t) => {
  t.test('when its tokens were known too late, as in a failover', async (t) => {
    const { writer, sent, clock } = writerOver({
      tokens: {
        captureForSet: async () => {
          clock.now = TIMEOUT_MS
          return new Map([[GENERATION, generation]])
        }
      }
    })
    await t.rejects(writer.store('key', value, {}, 0), { message: /the time for the store was over/ })
    t.same(sent, [])
  })
  t.test('when another attempt was needed after that time', async (t) => {
    const { writer, sent, clock } = writerOver({
      entries: {
        write: async (_name: string, _generation: unknown, _ms: number, encode: (fence?: string) => Promise<string>) => {
          sent.push(await encode())
          clock.now = TIMEOUT_MS
          sent.push(await encode())
        }
      }
    })
    await t.rejects(writer.store('key', value, {}, 0), { message: /the time for the store was over/ })
    t.same(sent, ['1'])
  })
  t.test('when it belongs to a load', async (t) => {
    const lease = new RedisLease({ name: 'key', header: Buffer.from('header'), serverId: undefined, isOwnMark: true }, generation, new Map())
    const { writer, sent, clock } = writerOver({
      leases: {
        store: async (_lease: unknown, _ms: number, encode: (fence?: string) => Promise<string>) => {
          clock.now = TIMEOUT_MS
          sent.push(await encode())
        }
      }
    })
    await t.rejects(writer.store('key', value, { snapshot: lease }, 0), { message: /the time for the store was over/ })
    t.same(sent, [])
  })
})
