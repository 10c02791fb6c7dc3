import t from 'tap'
import { natMapFor } from '../src/connection/nat-map.js'

t.test('natMap: an object or a function leads to where a node is reached; what is not named stays', async (t) => {
  const object = { '10.0.0.1:7000': { host: 'redis.example', port: 17_000 } }
  for (const natMap of [object, (announced: string) => Object.hasOwn(object, announced) ? object['10.0.0.1:7000'] : undefined]) {
    const map = natMapFor(natMap, undefined, () => {})
    t.same(map('10.0.0.1:7000'), { host: 'redis.example', port: 17_000 })
    t.equal(map('10.0.0.2:7000'), null)
    t.equal(map('constructor'), null)
  }
})

t.test('natMap: a servername stands beside the rest of the TLS options, and means nothing without TLS', async (t) => {
  const natMap = { 'a:1': { host: '127.0.0.1', port: 1, servername: 'a.example' } }
  t.same(natMapFor(natMap, { ca: 'ca' }, () => {})('a:1'), { host: '127.0.0.1', port: 1, servername: 'a.example', tls: { ca: 'ca', servername: 'a.example' } })
  t.same(natMapFor(natMap, undefined, () => {})('a:1'), { host: '127.0.0.1', port: 1 })
})

t.test('natMap: a function that throws or answers nonsense maps nothing, and is told once', async (t) => {
  const told: string[] = []
  const map = natMapFor(() => { throw new Error('broken') }, undefined, ({ message }) => { told.push(message) })
  t.equal(map('a:1'), null)
  t.equal(map('a:1'), null)
  t.match(told, ['natMap failed: broken'])
  t.equal(told.length, 1)
  for (const answer of [5, 'a:1', {}, { host: 'a' }, { host: '', port: 1 }, { host: 'a', port: '1' }, null]) {
    t.equal(natMapFor(() => answer as never, undefined, () => {})('a:1'), null)
  }
})
