import t from 'tap'
import type { Connection } from '../src/connection/connection.js'
import { callMaster, parseRedirection } from '../src/connection/master-call.js'

/** A server's error reply. */
function reply (message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' })
}

interface FakeNode { serverId: string | undefined; answers: (Error | string)[]; sent: string[]; prove?: () => Promise<void> | undefined }

/** Makes a Cluster of servers with prepared replies, and a client whose slot table names `owner`. */
function cluster (
  nodes: Record<string, FakeNode>, table: { owner: string | undefined }, isCluster = true
): { connection: Connection; searches: () => number; refreshes: () => number } {
  let searches = 0
  let refreshes = 0
  const toNode = (address: string): unknown => {
    const node = nodes[address]!
    return {
      get serverId () { return node.serverId },
      identify: async () => node.serverId,
      prove: () => node.prove?.(),
      redis: {
        asking: async () => { node.sent.push('ASKING') },
        send: async () => {
          node.sent.push('send')
          const answer = node.answers.shift()
          if (typeof answer !== 'string') throw answer
          return answer
        }
      }
    }
  }
  const known = new Map(Object.keys(nodes).map((address) => [address, toNode(address)]))
  const connection = {
    isCluster,
    owner: () => known.get(table.owner ?? ''),
    nodeAt: (address: string) => known.get(address),
    refreshSlots: () => { refreshes++ },
    client: { pttl: async () => { searches++ } }
  }
  return { connection: connection as unknown as Connection, searches: () => searches, refreshes: () => refreshes }
}

const node = (serverId: string | undefined, ...answers: (Error | string)[]): FakeNode => ({ serverId, answers, sent: [] })
const send = (redis: unknown): Promise<string> => (redis as { send: () => Promise<string> }).send()
const MOVED = reply('MOVED 1 b:1')
const ASK = reply('ASK 1 b:1')

t.test('callMaster: the reply is of the master that a redirection names, and so is the server identity', async (t) => {
  const nodes = { 'a:1': node('server a', MOVED), 'b:1': node('server b', 'value') }
  const { connection, refreshes, searches } = cluster(nodes, { owner: 'a:1' })
  t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: 'server b' })
  t.strictSame(nodes['b:1'].sent, ['send'])
  t.equal(refreshes(), 1, 'the slot table is asked for')
  t.equal(searches(), 0)
})

t.test('callMaster: ASK is followed with ASKING, for one command, without another slot table', async (t) => {
  const nodes = { 'a:1': node('server a', ASK), 'b:1': node('server b', 'value') }
  const { connection, refreshes } = cluster(nodes, { owner: 'a:1' })
  t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: 'server b' })
  t.strictSame(nodes['b:1'].sent, ['ASKING', 'send'])
  t.equal(refreshes(), 0)
})

t.test('callMaster: MOVED after ASK is followed without ASKING', async (t) => {
  const nodes = { 'a:1': node('server a', ASK, 'value'), 'b:1': node('server b', reply('MOVED 1 a:1')) }
  const { connection } = cluster(nodes, { owner: 'a:1' })
  t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: 'server a' })
  t.strictSame(nodes['a:1'].sent, ['send', 'send'])
})

t.test('callMaster: what is prepared is prepared for the master that gets it', async (t) => {
  const nodes = { 'a:1': node('server a', MOVED), 'b:1': node('server b', 'value') }
  const { connection } = cluster(nodes, { owner: 'a:1' })
  const prepared: unknown[] = []
  await callMaster(connection, 'key', (redis, serverId, text: string) => {
    prepared.push([serverId, text])
    return send(redis)
  }, { prepare: async (serverId) => `for ${serverId}` })
  t.strictSame(prepared, [['server a', 'for server a'], ['server b', 'for server b']])
})

t.test('callMaster: what cannot be prepared ends the call: no other try, and no search for a master that is known', async (t) => {
  const nodes = { 'a:1': node('server a', 'value') }
  const { connection, searches } = cluster(nodes, { owner: 'a:1' })
  let tries = 0
  const prepare = async (): Promise<string> => {
    tries++
    throw new Error('refused')
  }
  await t.rejects(callMaster(connection, 'key', send, { prepare }), /^refused$|Error: refused/)
  t.equal(tries, 1)
  t.equal(searches(), 0)
  t.strictSame(nodes['a:1'].sent, [])
})

t.test('callMaster: servers that send a call to and fro are given up', async (t) => {
  const again = (address: string): Error[] => Array.from({ length: 20 }, () => reply(`MOVED 1 ${address}`))
  const { connection } = cluster({ 'a:1': node('server a', ...again('b:1')), 'b:1': node('server b', ...again('a:1')) }, { owner: 'a:1' })
  await t.rejects(callMaster(connection, 'key', send), /^MOVED/)
})

for (const [what, failure] of [
  ['a server that no connection is known to', reply('MOVED 1 c:1')], ['a broken connection', new Error('Connection is closed.')], ['a cluster that is down', reply('CLUSTERDOWN The cluster is down')]
] as const) {
  t.test(`callMaster: after ${what} the client looks for the master, a bounded number of times`, async (t) => {
    const once = cluster({ 'a:1': node('server a', failure, 'value') }, { owner: 'a:1' })
    t.match(await callMaster(once.connection, 'key', send), { value: 'value', serverId: 'server a' })
    t.equal(once.searches(), 1)
    const always = cluster({ 'a:1': node('server a', ...Array.from({ length: 20 }, () => failure)) }, { owner: 'a:1' })
    await t.rejects(callMaster(always.connection, 'key', send), failure)
    t.equal(always.searches(), 2)
  })
}

t.test('callMaster: without a master it says so, and errors of the command are for the caller', async (t) => {
  await t.rejects(callMaster(cluster({}, { owner: undefined }).connection, 'key', send), /no master/)
  await t.rejects(callMaster(cluster({ 'a:1': node(undefined, 'value') }, { owner: 'a:1' }).connection, 'key', send), /no master/)
  const { connection, searches } = cluster({ 'a:1': node('server a', reply('OOM command not allowed')) }, { owner: 'a:1' })
  await t.rejects(callMaster(connection, 'key', send), /^OOM/)
  t.equal(searches(), 0)
})

t.test('callMaster: a single server is sent the command though its identity is not known, and its refusal is for the caller', async (t) => {
  const nodes = { 'a:1': node(undefined, reply('READONLY'), MOVED, 'value') }
  const { connection, searches } = cluster(nodes, { owner: 'a:1' }, false)
  await t.rejects(callMaster(connection, 'key', send), /^READONLY/)
  await t.rejects(callMaster(connection, 'key', send), /^MOVED/)
  t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: '' })
  t.equal(searches(), 0)
})

t.test('parseRedirection: reads MOVED and ASK, also of IPv6 addresses, and nothing else', async (t) => {
  t.strictSame(parseRedirection(reply('MOVED 3999 127.0.0.1:6381')), { isMoved: true, address: '127.0.0.1:6381' })
  t.strictSame(parseRedirection(reply('ASK 3999 ::1:6381')), { isMoved: false, address: '::1:6381' })
  for (const error of [reply('MOVED'), reply('MOVED 3999'), reply('ERR MOVED 1 a:1'), new Error(''), 'MOVED 1 a:1', undefined]) t.equal(parseRedirection(error), undefined)
})

t.test('callMaster: after a pause of the heartbeats the reply counts only under the identity that was proved beside it', async (t) => {
  for (const isCluster of [true, false]) {
    const one = node('server a', 'old', 'value')
    let proofs = 0
    one.prove = () => {
      if (++proofs > 1) return undefined
      t.strictSame(one.sent, [], 'the proof is asked for before the command')
      return Promise.resolve().then(() => { one.serverId = 'server b' })
    }
    const { connection, searches } = cluster({ 'a:1': one }, { owner: 'a:1' }, isCluster)
    t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: 'server b' })
    t.strictSame(one.sent, ['send', 'send'])
    t.equal(searches(), 0)
  }
})

t.test('callMaster: after a pause of the heartbeats one command is enough for a server that is the same', async (t) => {
  const one = node('server a', 'value')
  const order: string[] = []
  one.prove = () => Promise.resolve().then(() => { order.push('proved') })
  const { connection } = cluster({ 'a:1': one }, { owner: 'a:1' })
  t.match(await callMaster(connection, 'key', send), { value: 'value', serverId: 'server a' })
  t.strictSame(order, ['proved'], 'the reply waits for the proof')
  t.strictSame(one.sent, ['send'])
})
