import t from 'tap'
import { startServer } from '../src/server-process.js'

// Processes and databases are started for real: slow where other work takes the processors.
t.setTimeout(300_000)

t.test('server: an environment that does not parse ends it before it listens', async (t) => {
  await t.rejects(startServer({ CACHE_IMPL: 'disk' }), { message: /exit code 1 before it listened/ })
})
