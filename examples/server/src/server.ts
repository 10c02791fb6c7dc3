import { coreOf } from '@x/cache-core'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import { connectDatabase } from './database/connect.js'
import { openDatabase, type Database } from './database/open.js'
import { readEnv, type ServerEnv } from './env.js'
import { addWorkerPort } from './worker-port.js'

const ENV_FILE = fileURLToPath(new URL('../.env', import.meta.url))

async function start (): Promise<void> {
  // Variables that the environment already has take precedence over the file.
  if (existsSync(ENV_FILE)) process.loadEnvFile(ENV_FILE)
  const env = readEnv()
  const database = env.databaseAddress === undefined ? await openDatabase(env.databaseDir) : connectDatabase(env.databaseAddress)
  try {
    await serve(env, database)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function serve (env: ServerEnv, database: Database): Promise<void> {
  const { host, port, logLevel, databaseDir, databaseAddress, workerPort, cache, redis, metrics } = env
  const app = await buildApp({ database, cache, redis, metrics, logger: { level: logLevel } })
  if (workerPort !== undefined) addWorkerPort(app, { host, port: workerPort })
  // A database in memory is new at each start, so entries in Redis from an earlier start would be wrong.
  if (redis.enabled === true && databaseDir === undefined && databaseAddress === undefined) await app.cache.clear()
  let url: string
  try {
    url = await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw error
  }

  const grace = closeWithGrace({ delay: 10_000, logger: app.log }, async function close ({ err, signal }) {
    if (err !== undefined) app.log.fatal({ err }, 'Closing after an error')
    else app.log.info(`Closing${signal === undefined ? '' : ` on ${signal}`}`)
    await app.close()
    await database.close()
  })
  // If another process has started this server, it receives the address, and this server closes when that process ends.
  process.send?.({ url })
  process.once('disconnect', () => { grace.close() })
  showWhereToLook(app, url)
}

function showWhereToLook (app: FastifyInstance, url: string): void {
  const optional = ['/internal/cache', '/internal/cache/advice', '/metrics/prom', '/metrics', '/metrics/otel']
    .filter((path) => app.hasRoute({ method: 'GET', url: path }))
    .filter((path) => !path.startsWith('/internal/') || coreOf(app)?.access().isOpen === true)
  app.log.info(`Try ${['/api/tables', '/api/records/1', '/health', ...optional].map((path) => url + path).join(' ')}`)
}

start().catch((error: Error & { code?: string }) => {
  // The error message alone is printed for an error with a code of the suite, of the app or of the system. Any other error is unexpected,
  // and is printed with its stack.
  const isExplained = /^(?:CACHE_ERR_|APP_ERR_|E[A-Z]+$)/.test(error.code ?? '')
  process.stderr.write(`${isExplained ? `${error.code}: ${error.message}` : error.stack}\n`)
  process.exitCode = 1
  // The channel to the primary process of a cluster is closed, since it would keep this worker alive.
  process.disconnect?.()
})
