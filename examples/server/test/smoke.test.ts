import t from 'tap'
import { apiChecks } from '../src/smoke/api-checks.js'
import { Client } from '../src/smoke/client.js'
import { formatOutcomes, runCheck } from '../src/smoke/run-checks.js'
import { buildTestApp, openTestDatabase } from './fixtures/app.js'
import { run } from './fixtures/run.js'

// The time limit is long, since real processes and databases are started, which is slow on a busy machine.
t.setTimeout(300_000)

const database = await openTestDatabase()

t.test('smoke: every check of the API holds with NullCache, too', async (t) => {
  const app = await buildTestApp(t, database, { CACHE_IMPL: 'null' })
  const client = new Client(await app.listen({ port: 0, host: '127.0.0.1' }))
  for (const [name, check] of Object.entries(apiChecks)) t.test(name, async () => check(client))
})

// One process shows both claims, since starting the server again takes eight seconds of processor time.
t.test('server: listens on any free port, answers, and ends with 0 on SIGTERM; smoke: exit status 0, and a line for each check', async (t) => {
  const { status, stdout } = await run('smoke/main.ts')
  t.equal(status, 0, stdout)
  t.notMatch(stdout, 'FAILED')
  t.match(stdout, /^ *ok +GET \/health$/m)
  t.match(stdout, /SIGTERM ends the server with exit status 0\n(\d+) of \1 checks held/)
})

t.test('runCheck: one that throws has failed, and says why', async (t) => {
  const outcomes = [await runCheck('fine', async () => {}), await runCheck('broken', async () => { throw new Error('not so') })]
  t.same(outcomes, [{ name: 'fine' }, { name: 'broken', problem: 'not so' }])
  t.match(formatOutcomes(outcomes), /ok +fine\n +FAILED +broken\n +not so\n1 of 2 checks held/)
})

t.test('Client: an answer with another status or type fails', async (t) => {
  const app = await buildTestApp(t, database)
  const client = new Client(await app.listen({ port: 0, host: '127.0.0.1' }))
  await t.rejects(client.get('/nowhere'), { message: /404 instead of 200/ })
  await t.rejects(client.text('/health', /text\/plain/), { code: 'ERR_ASSERTION' })
})
