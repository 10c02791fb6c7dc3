import t from 'tap'
import { startServer } from '../src/server-process.js'

// Processes and databases are started for real: slow where other work takes the processors.
t.setTimeout(300_000)

t.test('server: listens on any free port, answers, and ends with 0 on SIGTERM', async (t) => {
  const server = await startServer({ CACHE_IMPL: 'memory', DATABASE_DIR: '', LOG_LEVEL: 'silent' })
  const response = await fetch(`${server.url}/health`)
  t.same(await response.json(), { status: 'ok', database: 'ok', cache: 'ok' })
  t.equal(await server.stop(), 0)
  await t.rejects(fetch(`${server.url}/health`))
})

t.test('server: an environment that does not parse ends it before it listens', async (t) => {
  await t.rejects(startServer({ CACHE_IMPL: 'disk' }), { message: /exit code 1 before it listened/ })
})
