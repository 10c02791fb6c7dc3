import { inspect } from 'node:util'
import { causeOf, corrupt } from '@x/cache-core/implementing'
import t from 'tap'
import { isHelloRefusal, isOutage, isRefusal, toCacheError } from '../src/connection/redis-errors.js'

const replies: [reply: string, code: string, isOutage: boolean][] = [
  ["READONLY You can't write against a read only replica.", 'CACHE_ERR_READONLY', false],
  ['MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.', 'CACHE_ERR_READONLY', false],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'CACHE_ERR_OUT_OF_MEMORY', false],
  ['NOAUTH Authentication required.', 'CACHE_ERR_AUTH', true],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'CACHE_ERR_AUTH', true],
  ["NOPERM this user has no permissions to run the 'set' command", 'CACHE_ERR_AUTH', true],
  ["ERR ACL failure in script: User hidden-user has no permissions to run the 'set' command script: 94cd, on @user_script:1.", 'CACHE_ERR_AUTH', true],
  ["ERR The user executing the script can't run this command or subcommand", 'CACHE_ERR_AUTH', true],
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
    t.equal((causeOf(error) as Error).message, reply.replace(/^(NOPERM|ERR ACL failure).*/, 'NOPERM: the user may not use the command "set" (ACL: +set)'))
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

t.test('toCacheError: neither the arguments of the command nor the user are in the error', async (t) => {
  for (const message of ['WRONGPASS invalid username-password pair or user is disabled.', "NOPERM User hunter2 has no permissions to run the 'set' command", 'ERR other',
    "ERR unknown command 'auth', with args beginning with: 'hunter2' 'hunter2' ", 'ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `hunter2`, ', "All sentinels are unreachable. Last error: ERR unknown command 'auth', with args beginning with: 'a\nhunter2' "]) {
    const cause = Object.assign(new Error(message), { name: 'ReplyError', command: { name: 'hello', args: ['3', 'AUTH', 'hunter2', 'hunter2'] } })
    const error = toCacheError('get', cause)
    t.notMatch(inspect([error, causeOf(error)], { depth: 9, showHidden: true }), 'hunter2')
    t.equal((causeOf(error) as Error).name, 'ReplyError')
  }
})

t.test('toCacheError: NOPERM names the command, or says that it is a key or a channel', async (t) => {
  const cases = [
    ["NOPERM this user has no permissions to run the 'client|tracking' command", /the command "client\|tracking" \(ACL: \+client\|tracking\)/],
    ["NOPERM User hunter2 has no permissions to run the 'info' command", /the command "info"/],
    ['NOPERM No permissions to access a key', /a key/],
    ['NOPERM No permissions to access a channel', /a channel/],
    ['ERR ACL failure in script: No permissions to access a key script: 94cd, on @user_script:1.', /a key/],
    ['ERR ACL failure in script: No permissions to access a channel script: 94cd, on @user_script:1.', /a channel/]
  ] as const
  for (const [message, expected] of cases) t.match(toCacheError('get', new Error(message)).message, expected)
})

t.test('isRefusal: replies that speak of a moment are none, and neither are broken connections', async (t) => {
  const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })
  for (const message of ['NOPERM x', 'NOAUTH x', "ERR unknown command 'CLIENT'", 'WRONGPASS x']) t.ok(isRefusal(reply(message)), message)
  for (const message of ['LOADING x', 'BUSY x', 'CLUSTERDOWN x', 'MASTERDOWN x', 'READONLY x', 'TRYAGAIN x']) t.notOk(isRefusal(reply(message)), message)
  for (const error of [new Error('NOPERM x'), undefined, 'NOPERM', null]) t.notOk(isRefusal(error))
})

t.test('isHelloRefusal: a refused password, a full server and a refusal of another command are none', async (t) => {
  const reply = (message: string, name = 'hello'): Error => Object.assign(new Error(message), { name: 'ReplyError', command: { name, args: ['3'] } })
  for (const message of ['invalid request', "unsupported command 'hello'", 'ERR not allowed']) t.ok(isHelloRefusal(reply(message)), message)
  for (const message of ['WRONGPASS x', 'NOAUTH x', 'NOPERM x', 'DENIED x', 'LOADING x', 'ERR max number of clients reached']) t.notOk(isHelloRefusal(reply(message)), message)
  t.notOk(isHelloRefusal(reply('invalid request', 'info')))
  t.notOk(isHelloRefusal(new Error('Connection is closed.')))
})
