import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { freePort, holds } from '@x/test-kit/servers'
import { parseCounts } from '../../src/replay/counters.js'
import { startProgram, type ServerProcess } from '../../src/server-process.js'
import { filledDirectory } from '../fixtures/filled-database.js'

t.setTimeout(300_000)

const ENV = { CACHE_IMPL: 'null', FEATURE_CACHE: '', FEATURE_CACHE_REDIS: '', HOST: '127.0.0.1', NODE_ENV: 'development', WORKERS: '2' }

/** Starts a cluster; returns its shared port, and the worker port of each worker. */
async function startCluster (env: Record<string, string> = {}): Promise<ServerProcess & { own: string[] }> {
  const [port, first] = [await freePort(), await freePort()]
  const cluster = await startProgram('cluster', { ...ENV, DATABASE_DIR: await filledDirectory(), PORT: String(port), WORKER_PORT: String(first), ...env })
  return { ...cluster, own: [first, first + 1].map((each) => `http://127.0.0.1:${each}`) }
}

/** Sends a request over a separate connection, so that the workers receive requests in turn. */
async function get (url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  const text = await response.text()
  assert.equal(response.status, 200, `${url}: ${text}`)
  return text
}

const readsOf = async (own: string): Promise<number> => {
  const { hits = 0, misses = 0 } = parseCounts(await get(`${own}/metrics/prom`)).patterns.record ?? {}
  return hits + misses
}

const cluster = await startCluster()
t.teardown(() => cluster.stop())

t.test('cluster: each worker shows its own counts on its own port, and together they are those of all requests', async (t) => {
  for (let turn = 0; turn < 20; turn++) await get(`${cluster.url}/api/records/${turn % 5}`)
  const reads = await Promise.all(cluster.own.map(readsOf))
  t.ok(reads.every((count) => count > 0), reads.join())
  t.equal(reads[0]! + reads[1]!, 20)
  t.same(await Promise.all(cluster.own.map(readsOf)), reads, 'a scrape does not change worker')
})

t.test('cluster: the advice of each worker is that of its requests, on its own port', async (t) => {
  for (const own of cluster.own) {
    const { advice, requests } = JSON.parse(await get(`${own}/internal/cache/advice`)) as { advice: { name: string }[], requests: number }
    t.ok(advice.some(({ name }) => name === 'record'))
    t.ok(requests > 0 && requests < 20, `${requests} of 20 requests`)
  }
})

t.test('cluster: the workers share the database', async (t) => {
  const patch = await fetch(`${cluster.own[0]}/api/records/9`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"fields":{"stock":9009}}' })
  t.equal(patch.status, 200)
  t.equal((JSON.parse(await get(`${cluster.own[1]}/api/records/9`)) as { fields: { stock: number } }).fields.stock, 9009)
})

t.test('cluster: a worker that is killed is replaced on the same port', async (t) => {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,args='])
  const workers = stdout.trim().split('\n').map((line) => line.trim().split(/ +/)).filter(([, parent, ...command]) => parent === String(cluster.child.pid) && command.some((word) => word.endsWith('src/server.ts')))
  t.equal(workers.length, 2)
  process.kill(Number(workers[0]![0]), 'SIGKILL')
  // The new worker is recognised by its counts, which begin at 0.
  await holds('a new worker listens', async () => (await Promise.all(cluster.own.map(readsOf))).includes(0))
})

t.test('cluster: workers that would share the port of the metrics are refused, and the cluster ends', async (t) => {
  await t.rejects(startCluster({ METRICS_PORT: String(await freePort()), LOG_LEVEL: 'silent' }), { message: /The cluster ended with exit code 1 before it listened/ })
})

t.test('cluster: ends with all workers', async (t) => {
  t.equal(await cluster.stop(), 0)
  for (const url of [cluster.url, ...cluster.own]) await t.rejects(fetch(url))
})
