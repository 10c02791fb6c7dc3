import t from 'tap'
import { fenceOf } from '../src/connection/server-identity.js'

function info (runId = 'run', replicationId = 'history', role = 'master'): string {
  return `# Server\r\nredis_version:7.0.15\r\nrun_id:${runId}\r\n# Replication\r\nrole:${role}\r\nmaster_failover_state:no-failover\r\nmaster_replid:${replicationId}\r\nmaster_replid2:0000\r\n`
}

t.test('fenceOf: a server keeps its fence, and another life or history has another', async (t) => {
  const { runId, fence } = fenceOf(info())!
  t.equal(runId, 'run')
  t.match(fence, /^[\w-]{8}$/)
  t.equal(fenceOf(info())!.fence, fence)
  t.not(fenceOf(info('restarted'))!.fence, fence)
  t.not(fenceOf(info('run', 'promoted'))!.fence, fence)
})

t.test('fenceOf: takes lines that end without a carriage return', async (t) => {
  t.strictSame(fenceOf(info().replaceAll('\r', '')), fenceOf(info()))
})

t.test('fenceOf: is not known of a replica, nor from an answer that lacks a part', async (t) => {
  t.equal(fenceOf(info('run', 'history', 'slave')), undefined)
  for (const field of ['run_id', 'master_replid', 'role']) {
    t.equal(fenceOf(info().replace(new RegExp(`^${field}:`, 'm'), 'other:')), undefined, field)
  }
  t.equal(fenceOf(''), undefined)
})
