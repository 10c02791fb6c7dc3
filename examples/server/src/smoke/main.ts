import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { startServer } from '../server-process.js'
import { apiChecks } from './api-checks.js'
import { Client } from './client.js'
import { metricsChecks } from './metrics-checks.js'
import { formatOutcomes, runCheck, runChecks, type Outcome } from './run-checks.js'

/** Returns a port that is free at present. The port of the server's metrics listener must be given, so that the checks know it. */
async function freePort (): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await once(probe.close(), 'close')
  return port
}

async function smoke (): Promise<Outcome[]> {
  const metricsPort = await freePort()
  // The environment is given completely, so that variables of the caller do not change what is checked, and the caller's database is not
  // written to.
  const server = await startServer({
    FEATURE_CACHE: 'true',
    CACHE_IMPL: 'memory',
    CACHE_PATTERN_WHITELIST: '',
    FEATURE_CACHE_REDIS: '',
    FEATURE_OTEL: 'true',
    METRICS_PORT: String(metricsPort),
    HOST: '127.0.0.1',
    NODE_ENV: 'development',
    DATABASE_DIR: ''
  })
  const client = new Client(server.url)
  const outcomes = [
    ...await runChecks(apiChecks, client),
    ...await runChecks(metricsChecks(`http://127.0.0.1:${metricsPort}`), client)
  ]
  outcomes.push(await runCheck('SIGTERM ends the server with exit status 0', async () => {
    assert.equal(await server.stop(), 0)
    await assert.rejects(fetch(`${server.url}/health`), 'it still answers')
  }))
  return outcomes
}

smoke().then(
  (outcomes) => {
    console.log(formatOutcomes(outcomes))
    process.exitCode = outcomes.some(({ problem }) => problem !== undefined) ? 1 : 0
  },
  (error: Error) => {
    process.stderr.write(`smoke: ${error.message}\n`)
    process.exitCode = 1
  }
)
