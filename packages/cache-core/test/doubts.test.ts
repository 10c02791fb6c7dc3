import t from 'tap'
import { changeOf } from '../src/stored-form.js'
import { makeClient } from './fixtures/make-client.js'
import { NullCache } from '@x/cache-core'

class Money { amount = 1 }

t.test('changeOf: names the first member that JSON changes, and its path', async (t) => {
  t.equal(changeOf({ createdAt: new Date(0) }), 'Date at .createdAt')
  t.equal(changeOf({ items: [1, { price: NaN }] }), 'NaN at .items[1].price')
  t.equal(changeOf(new Map()), 'Map')
  t.equal(changeOf({ roles: new Set() }), 'Set at .roles')
  t.equal(changeOf([new Money()]), 'Money at [0]')
  t.equal(changeOf({ name: undefined }), 'undefined at .name')
  t.equal(changeOf({ bytes: Buffer.from('x') }), 'Buffer at .bytes')
})

t.test('changeOf: is silent about what a hit gives as it was, and never throws', async (t) => {
  for (const same of [null, 1, 'text', true, Buffer.from('x'), [1, [2]], { a: { b: null } }, Object.create(null)]) t.equal(changeOf(same), undefined)
  const circle: Record<string, unknown> = {}
  circle.self = circle
  t.equal(changeOf(circle), undefined)
  t.equal(changeOf({ get late () { throw new Error('bug') } }), undefined)
  t.equal(changeOf(new Proxy({}, { ownKeys () { throw new Error('bug') } })), undefined)
})

for (const observes of [false, true]) {
  t.test(`getOrSet: what is most likely not meant is said once per pattern${observes ? ', while observing, too' : ''}`, async (t) => {
    const { client, registry } = observes ? makeClient(() => new NullCache() as never) : makeClient()
    const said: string[] = []
    registry.events.on('doubted', (keyPattern, message) => said.push(`${keyPattern}: ${message}`))
    for (const id of ['undefined', 'null', '7']) {
      await client.getOrSet(`user:${id}`, () => ({ createdAt: new Date(0) }), 60_000 * 60)
      await client.getOrSet(`plain:${id}x`, () => 'undefined', 60)
    }
    t.equal(said.length, 3)
    t.match(said[0], /^user: a ttl of 3600000 seconds is above one day/)
    t.match(said[1], /^user: a key has the part undefined/)
    t.match(said[2], /^user: changes when stored: Date at \.createdAt/)
  })
}
