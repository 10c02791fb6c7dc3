import t from 'tap'
import { startServer } from '../src/server-process.js'

// The time limit is long, since real processes and databases are started, which is slow on a busy machine.
t.setTimeout(300_000)

t.test('server: an environment that does not parse ends it before it listens', async (t) => {
  await t.rejects(startServer({ CACHE_IMPL: 'disk' }), { message: /exit code 1 before it listened/ })
})
