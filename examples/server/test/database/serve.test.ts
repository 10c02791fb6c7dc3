import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { connectDatabase } from '../../src/database/connect.js'
import { serveDatabase } from '../../src/database/serve.js'
import { openTestDatabase } from '../fixtures/app.js'

// The time limit is long, since a real database is started, which is slow on a busy machine.
t.setTimeout(300_000)

const database = await openTestDatabase()
const server = await serveDatabase(database, { host: '127.0.0.1', port: 0 })
t.teardown(() => server.close())
const address = { host: '127.0.0.1', port: server.port }

const stockOf = async (id: number): Promise<unknown> => (await database.query<{ stock: number }>("SELECT fields->'stock' AS stock FROM records WHERE id = $1", [id])).rows[0]?.stock

t.test('connectDatabase: queries have the rows and the errors of the database, in their order', async (t) => {
  const remote = connectDatabase(address)
  t.teardown(() => remote.close())
  const sql = 'SELECT id, fields, updated_at AS "updatedAt" FROM records WHERE id = $1'
  const answers = await Promise.all([remote.query(sql, [1]), remote.query(sql, [2]), t.rejects(remote.query('SELECT nothing'), { code: '42703' }), remote.query(sql, [3])])
  for (const [at, id] of [[0, 1], [1, 2], [3, 3]] as const) t.same((answers[at] as { rows: unknown[] }).rows, (await database.query(sql, [id])).rows)
})

t.test('connectDatabase: a transaction is committed as a whole, or rolled back with the error of its work', async (t) => {
  const remote = connectDatabase(address)
  t.teardown(() => remote.close())
  const set = (stock: number) => `UPDATE records SET fields = fields || '{"stock":${stock}}' WHERE id = 8001`
  t.equal(await remote.transaction(async (transaction) => {
    await transaction.query(set(1))
    await transaction.query(set(2))
    return 'done'
  }), 'done')
  t.equal(await stockOf(8001), 2)
  await t.rejects(remote.transaction(async (transaction) => {
    await transaction.query(set(3))
    throw new Error('refused')
  }), { message: 'refused' })
  t.equal(await stockOf(8001), 2)
  // A transaction that cannot be committed rejects.
  await t.rejects(remote.transaction(async (transaction) => {
    await transaction.query(set(4))
    await transaction.query('SELECT nothing').catch(() => {})
    await transaction.query('SELECT 1')
  }))
  t.equal(await stockOf(8001), 2)
})

t.test('serveDatabase: a client that sends nonsense loses its connection, and no other client does', async (t) => {
  const remote = connectDatabase(address)
  t.teardown(() => remote.close())
  await remote.query('SELECT 1')
  const stranger = connect(address)
  await once(stranger, 'connect')
  stranger.write('GET / HTTP/1.1\n')
  await once(stranger, 'close')
  t.match(await remote.query('SELECT 1 AS one'), { rows: [{ one: 1 }] })
})

t.test('connectDatabase: while the other process is away queries reject, and after it came back they are answered', async (t) => {
  const other = await serveDatabase(database, { host: '127.0.0.1', port: 0 })
  const remote = connectDatabase({ host: '127.0.0.1', port: other.port })
  t.teardown(() => remote.close())
  await remote.query('SELECT 1')
  await other.close()
  await t.rejects(remote.query('SELECT 1').then(() => remote.query('SELECT 1')))
  await t.rejects(remote.query('SELECT 1'), { code: 'ECONNREFUSED' })
  await t.rejects(remote.transaction(async () => {}), { code: 'ECONNREFUSED' })
  const again = await serveDatabase(database, { host: '127.0.0.1', port: other.port })
  t.teardown(() => again.close())
  t.match(await remote.query('SELECT 1 AS one'), { rows: [{ one: 1 }] })
})
