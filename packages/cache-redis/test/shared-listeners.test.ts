import { EventEmitter } from 'node:events'
import t from 'tap'
import { listen } from '../src/connection/shared-listeners.js'

t.test('listen: any number of caches adds one listener to a client, and takes it away with the last', async (t) => {
  const client = new EventEmitter()
  const heard: string[] = []
  const stops = Array.from({ length: 12 }, (_, at) => listen(client, 'ready', (what) => { heard.push(`${at} ${what}`) }))
  t.equal(client.listenerCount('ready'), 1)
  client.emit('ready', 'now')
  t.equal(heard.length, 12)
  t.ok(heard.includes('11 now'))
  for (const stop of stops.slice(1)) stop()
  client.emit('ready', 'again')
  t.equal(heard.length, 13)
  stops[0]!()
  stops[0]!()
  t.equal(client.listenerCount('ready'), 0)
  listen(client, 'ready', (what) => { heard.push(what) })
  client.emit('ready', 'anew')
  t.equal(heard.at(-1), 'anew')
})

t.test('listen: who stops while an event is told ends no other', async (t) => {
  const client = new EventEmitter()
  let heard = 0
  const stop = listen(client, 'close', () => stop())
  listen(client, 'close', () => { heard++ })
  client.emit('close')
  client.emit('close')
  t.equal(heard, 2)
})
