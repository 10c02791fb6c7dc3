import t from 'tap'
import { buildTestApp, rowsAtOnce } from '../fixtures/app.js'
import { filledDirectory } from '../fixtures/filled-database.js'
import { run, runWith } from '../fixtures/run.js'

// The time limit is long, since real processes and databases are started, which is slow on a busy machine.
t.setTimeout(300_000)

const app = await buildTestApp(t, rowsAtOnce(), { CACHE_IMPL: 'null' })
const url = await app.listen({ port: 0, host: '127.0.0.1' })

t.test('replay: without --url it starts a server; exit status 0 and JSON when all agrees', async (t) => {
  // The server that is started opens a database by itself, as for users. The directory is a filled copy, since to fill one takes seconds.
  const env = { DATABASE_DIR: await filledDirectory() }
  const { status, stdout } = await runWith(env, 'replay/main.ts', '--limit', '200', '--check-lru', '50', '--format', 'json')
  t.equal(status, 0)
  t.match(JSON.parse(stdout), {
    load: { sent: 200, statuses: { 200: 200 } },
    checks: [{ ok: true }, { ok: true }, { ok: true }, { ok: true }],
    trace: /made up.*no --trace was given/
  })
})

t.test('replay: exit status 1 when a number differs', async (t) => {
  const { status, stdout } = await run('replay/main.ts', '--url', url, '--limit', '40', '--check-lru', '20000')
  t.equal(status, 1)
  t.match(stdout, /NOT OK - counted hits/)
})

t.test('replay: exit status 2 and one sentence when it cannot be done', async (t) => {
  const missing = await run('replay/main.ts', '--trace', 'nowhere.gz')
  t.match(missing, { status: 2, stdout: '', stderr: /^replay: Cannot read the trace .*nowhere\.gz/ })
  const usage = await run('replay/main.ts', '--rate', 'fast')
  t.match(usage, { status: 2, stdout: '', stderr: /--rate must be a whole number[\s\S]*Usage:/ })
})
