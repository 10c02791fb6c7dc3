import { corrupt } from '@x/cache-core'
import t from 'tap'
import { isOutage, toCacheError } from '../src/redis-errors.js'

const replies: [reply: string, code: string, isOutage: boolean][] = [
  ["READONLY You can't write against a read only replica.", 'CACHE_ERR_READONLY', false],
  ['MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.', 'CACHE_ERR_READONLY', false],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'CACHE_ERR_OUT_OF_MEMORY', false],
  ['NOAUTH Authentication required.', 'CACHE_ERR_AUTH', true],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'CACHE_ERR_AUTH', true],
  ["NOPERM this user has no permissions to run the 'set' command", 'CACHE_ERR_AUTH', true],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'CACHE_ERR_CORRUPT', false],
  ['Connection is closed.', 'CACHE_ERR_UNAVAILABLE', true],
  ["Stream isn't writeable and enableOfflineQueue options is false", 'CACHE_ERR_UNAVAILABLE', true],
  ['CLUSTERDOWN The cluster is down', 'CACHE_ERR_UNAVAILABLE', true],
  ['LOADING Redis is loading the dataset in memory', 'CACHE_ERR_UNAVAILABLE', true],
  ['the value WRONGTYPE is in the middle', 'CACHE_ERR_UNAVAILABLE', true]
]

for (const [reply, code, outage] of replies) {
  t.test(`toCacheError: "${reply.slice(0, 40)}" is ${code}`, async (t) => {
    const cause = new Error(reply)
    const error = toCacheError('get', cause)
    t.equal(error.code, code)
    t.equal(error.cause, cause)
    t.equal(isOutage(error), outage)
    t.match(error.message, '"get"')
  })
}

t.test('toCacheError: takes whatever was thrown', async (t) => {
  for (const cause of [undefined, null, 'text', 5, {}]) t.equal(toCacheError('get', cause).code, 'CACHE_ERR_UNAVAILABLE')
  t.equal(toCacheError('get', 'OOM').code, 'CACHE_ERR_OUT_OF_MEMORY')
})

t.test('toCacheError: a coded error stays what it is', async (t) => {
  const error = corrupt('get', 'broken metadata')
  t.equal(toCacheError('getEntry', error), error)
  t.equal(isOutage(error), false)
})
