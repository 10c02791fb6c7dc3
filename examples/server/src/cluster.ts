// Starts several servers on one port, with node's cluster module and one database: WORKERS=4 npm run cluster -w examples/server
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import { EnvReader } from '@x/cache-core'
import { buildApp } from './app.js'
import { openDatabase } from './database/open.js'
import { serveDatabase } from './database/serve.js'
import { readEnv } from './env.js'

const { databaseDir, host, port, redis } = readEnv()
const reader = new EnvReader()
const count = reader.number('WORKERS', { min: 1, max: 256, integer: true }) ?? availableParallelism()
const firstPort = reader.number('WORKER_PORT', { min: 1, max: 65_535 - count, integer: true }) ?? 9400

const database = await openDatabase(databaseDir)
// A database in memory is new at each start, so Redis must be cleared. One process clears it before the workers start, since each worker
// would clear entries that another worker has stored.
if (redis.enabled === true && databaseDir === undefined) {
  const app = await buildApp({ database, redis })
  await app.cache.clear()
  await app.close()
}
const served = await serveDatabase(database, { host: '127.0.0.1', port: 0 })
/** The workers by slot, a number from 0 to `count` - 1. */
const workers = new Map<number, Worker>()
let isClosing = false
let failure: Error | undefined

cluster.setupPrimary({ exec: fileURLToPath(new URL(`./server${extname(import.meta.url)}`, import.meta.url)) })

/**
 * Starts the worker of a slot. A worker that replaces another worker gets the same worker port, so that it is the same target for
 * Prometheus.
 */
async function startWorker (slot: number): Promise<void> {
  const worker = cluster.fork({ WORKER_PORT: firstPort + slot, DATABASE_HOST: '127.0.0.1', DATABASE_PORT: served.port })
  workers.set(slot, worker)
  const exited = once(worker, 'exit')
  // The server sends its address when it listens. A worker that ends before has a wrong setting or a port that is in use; a new worker
  // would end for the same reason.
  const isListening = await Promise.race([once(worker, 'message').then(() => true), exited.then(() => false)])
  if (isListening) await exited
  if (isClosing) return
  if (isListening) return startWorker(slot)
  failure = new Error(`Worker ${slot} ended before it listened; what it printed says why`)
  grace.close()
}

const grace = closeWithGrace({ delay: 10_000 }, async function close () {
  isClosing = true
  await Promise.all([...workers.values()].filter((worker) => !worker.isDead()).map(async (worker) => {
    const exited = once(worker, 'exit')
    worker.process.kill('SIGTERM')
    await exited
  }))
  await served.close()
  await database.close()
  if (failure !== undefined) throw failure
})
process.once('disconnect', () => { grace.close() })

let listening = 0
cluster.on('message', () => {
  if (++listening !== count) return
  process.send?.({ url: `http://${host}:${port}` })
  console.log(`${count} workers on http://${host}:${port}, each alone on one of the ports ${firstPort} to ${firstPort + count - 1}`)
})
for (let slot = 0; slot < count; slot++) void startWorker(slot)
