import fc from 'fast-check'
import t from 'tap'
import { endpointsOf } from '../src/connection/endpoints.js'

const of = (...url: string[]) => endpointsOf({ mode: 'sentinel', url })

t.test('url: the query gives db and family, as ioredis reads it; the path beats it', async (t) => {
  t.match(of('redis://host?db=3&family=6'), [{ host: 'host', port: 6379, db: 3, family: 6 }])
  t.match(of('redis://host/2?db=3'), [{ db: 2 }])
  t.match(of('redis://host/?db=3'), [{ db: 3 }])
  t.match(of('rediss://us%40er:p%40ss@[::1]:7000/4'), [{ host: '::1', port: 7000, db: 4, username: 'us@er', password: 'p@ss', tls: true }])
  t.same(of('redis://host'), [{ host: 'host', port: 6379, tls: false }])
})

t.test('url: what would be dropped in silence is refused, and not shown', async (t) => {
  for (const url of [
    'redis://hunter2:hunter2@host?tls=hunter2', 'redis://host?DB=1', 'redis://host?db=1&db=2', 'redis://host?db=', 'redis://host?db=hunter2', 'redis://host?family=5',
    'redis://host?family=hunter2', 'redis://host/1/2', 'redis://host/hunter2', 'redis://host#hunter2', 'redis://host?password=hunter2'
  ]) {
    try {
      of(url)
      t.fail(`accepted ${url}`)
    } catch (error) {
      t.equal((error as { code?: string }).code, 'CACHE_ERR_OPTION_INVALID', url)
      t.notMatch((error as Error).message, 'hunter2')
    }
  }
})

t.test('url: what holds for all servers is the same in every URL that names it', async (t) => {
  t.match(of('redis://user:secret@a/1', 'redis://b', 'redis://user:secret@c/1'), [{ username: 'user' }, { host: 'b' }, { host: 'c' }])
  t.match(of('rediss://a', 'rediss://b'), [{ tls: true }, { tls: true }])
  for (const [first, second] of [
    ['redis://a', 'rediss://b'], ['redis://:one@a', 'redis://:two@b'], ['redis://a', 'redis://:two@b'], ['redis://one@a', 'redis://two@b'], ['redis://a/1', 'redis://b/2'], ['redis://a', 'redis://b?family=6']
  ] as const) t.throws(() => of(first, second), { code: 'CACHE_ERR_OPTION_INVALID' }, `${first} ${second}`)
})

t.test('url: a Cluster has database 0 alone', async (t) => {
  t.throws(() => endpointsOf({ mode: 'cluster', url: 'redis://a/3' }), { code: 'CACHE_ERR_OPTION_INVALID' })
  t.throws(() => endpointsOf({ mode: 'cluster', url: 'redis://a?db=3' }), { code: 'CACHE_ERR_OPTION_INVALID' })
  t.match(endpointsOf({ mode: 'cluster', url: 'redis://a/0' }), [{ db: 0 }])
})

t.test('url: any text is read or is a coded error that does not hold it', async () => {
  fc.assert(fc.property(fc.string(), fc.constantFrom('?', '#', '/', '@', ''), (text, mark) => {
    try {
      endpointsOf({ mode: 'single', url: `redis://secret${mark}${text}` })
    } catch (error) {
      if ((error as { code?: string }).code !== 'CACHE_ERR_OPTION_INVALID' || (error as Error).message.includes('secret')) throw error
    }
  }))
})
