import { EventEmitter } from 'node:events'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { Announcer } from '../src/tracking/announcer.js'
import type { Client } from '../src/connection/client.js'
import type { Subscriber } from '../src/connection/subscriber.js'

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })

/** Makes an announcer on a fake connection; `receive` passes it a message of the channel. */
function start (
  listener: (tags: readonly string[], soft: boolean) => unknown,
  { publish = async () => 1, listen = async () => {} }: { publish?: () => Promise<unknown>; listen?: () => Promise<void> } = {}
) {
  const warnings: string[] = []
  const published: string[] = []
  let receive = (_message: string): void => {}
  let listens = 0
  const client = Object.assign(new EventEmitter(), {
    publish: (_channel: string, message: string) => {
      published.push(message)
      return publish()
    }
  })
  const subscriber = {
    listen: async (_channel: string, each: (message: string) => void) => {
      listens++
      await listen()
      receive = each
      return () => {}
    }
  } as unknown as Subscriber
  const announcer = new Announcer(client as unknown as Client, subscriber, 'cache:n', listener as never, ({ message }) => { warnings.push(message) })
  return { announcer, client, warnings, published, receive: (message: string) => receive(message), listens: () => listens }
}

t.test('onInvalidated: that throws or rejects ends nothing, neither at a message nor at its own call, and is told once', async (t) => {
  for (const fail of [() => { throw new Error('broken') }, () => Promise.reject(new Error('broken'))]) {
    let calls = 0
    const { announcer, warnings, published, receive } = start(() => {
      calls++
      return fail()
    })
    await new Promise((resolve) => { setImmediate(resolve) })
    announcer.announce(['own'], false)
    receive(JSON.stringify({ from: 'another', tags: ['tag'], soft: true }))
    await new Promise((resolve) => { setImmediate(resolve) })
    t.equal(calls, 2)
    t.equal(published.length, 1, 'the others hear of it all the same')
    t.equal(warnings.length, 1)
    t.match(warnings[0], /^onInvalidated failed: broken/)
    announcer.close()
  }
})

t.test('announcer: a message that is no announcement is not passed on', async (t) => {
  const heard: unknown[] = []
  const { announcer, receive } = start((...args) => { heard.push(args) })
  await new Promise((resolve) => { setImmediate(resolve) })
  for (const message of [
    '', 'x', 'null', '5', '"tags"', '[]', '{}', '{"tags":null}', '{"tags":"tag"}', '{"tags":[5]}', '{"tags":[""]}', '{"tags":[{}]}', '{"__proto__":{"tags":["a"]}}',
    JSON.stringify({ tags: Array.from({ length: 65 }, () => 'tag') }), JSON.stringify({ tags: ['t'.repeat(257)] }), JSON.stringify({ tags: ['\ud800'] })
  ]) receive(message)
  t.same(heard, [])
  receive('{"from":"another","tags":["tag"]}')
  t.same(heard, [[['tag'], false]])
  announcer.close()
})

t.test('announcer: a refused channel is told once for each command, and tried again', async (t) => {
  const time = new FakeTime(t)
  const refuse = async (): Promise<never> => { throw reply("NOPERM User least has no permissions to run the 'subscribe' command") }
  const { announcer, warnings, listens } = start(() => {}, { listen: refuse, publish: refuse })
  await settle()
  for (const [ms, times] of [[250, 2], [499, 2], [1, 3], [1000, 4], [2000, 5]] as const) {
    time.advance(ms)
    await settle()
    t.equal(listens(), times, `after ${ms} ms more`)
  }
  announcer.announce(['tag'], false)
  announcer.announce(['tag'], false)
  await settle()
  t.equal(warnings.length, 2)
  t.match(warnings[0], /SUBSCRIBE cache:n .*subscribe/)
  t.match(warnings[1], /PUBLISH cache:n/)
  t.notMatch(warnings.join(), 'least')
  announcer.close()
  time.advance(120_000)
  await settle()
  t.equal(listens(), 5, 'no more once it is closed')
})

t.test('announcer: what could not be listened to is tried again as soon as the client is ready', async (t) => {
  const time = new FakeTime(t)
  let isKnown = false
  const { announcer, client, listens } = start(() => {}, { listen: async () => { if (!isKnown) throw new Error('no node of the Cluster is known') } })
  await settle()
  t.equal(listens(), 1)
  isKnown = true
  client.emit('ready')
  await settle()
  t.equal(listens(), 2)
  client.emit('ready')
  time.advance(60_000)
  await settle()
  t.equal(listens(), 2, 'the connection subscribes again by itself')
  announcer.close()
  t.equal(client.listenerCount('ready'), 0)
})
