import t from 'tap'
import { serverIdentityOf } from '../src/connection/server-identity.js'

function info (runId = 'run', replicationId = 'history', role = 'master'): string {
  return `# Server\r\nredis_version:7.0.15\r\nrun_id:${runId}\r\n# Replication\r\nrole:${role}\r\nmaster_failover_state:no-failover\r\nmaster_replid:${replicationId}\r\nmaster_replid2:0000\r\n`
}

t.test('serverIdentityOf: is the same for one server; a restart or another replication history has another', async (t) => {
  const { runId, serverId } = serverIdentityOf(info())!
  t.equal(runId, 'run')
  t.match(serverId, /^[\w-]{8}$/)
  t.equal(serverIdentityOf(info())!.serverId, serverId)
  t.not(serverIdentityOf(info('restarted'))!.serverId, serverId)
  t.not(serverIdentityOf(info('run', 'promoted'))!.serverId, serverId)
})

t.test('serverIdentityOf: takes lines that end without a carriage return', async (t) => {
  t.strictSame(serverIdentityOf(info().replaceAll('\r', '')), serverIdentityOf(info()))
})

t.test('serverIdentityOf: is not known of a replica, nor from an answer that lacks a part', async (t) => {
  t.equal(serverIdentityOf(info('run', 'history', 'slave')), undefined)
  for (const field of ['run_id', 'master_replid', 'role']) {
    t.equal(serverIdentityOf(info().replace(new RegExp(`^${field}:`, 'm'), 'other:')), undefined, field)
  }
  t.equal(serverIdentityOf(''), undefined)
})
