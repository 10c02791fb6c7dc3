import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase, type Database } from '../../src/database/open.js'

// The time limit is long, since real processes and databases are started, which is slow on a busy machine.
t.setTimeout(300_000)

const checksum = async (database: Database) => {
  const { rows } = await database.query(`
    SELECT md5(string_agg(r::text, '' ORDER BY r.id)) AS records, (SELECT md5(string_agg(p::text, '' ORDER BY p)) FROM permissions p) AS permissions
    FROM records r`)
  return rows[0]
}

// One test has several claims, since each start of a database takes two seconds of a processor.
t.test('openDatabase: a first start that was cut off is made good; its rows are made once, the same as in memory, and a directory keeps what was written', async (t) => {
  const dir = join(t.testdir(), 'data')
  await mkdir(`${dir}.unpacking`)
  await writeFile(join(`${dir}.unpacking`, 'PG_VERSION'), '17')
  const memory = await openDatabase()
  const first = await openDatabase(dir)
  t.same((await readdir(join(dir, '..'))), ['data'])
  t.same((await first.query('SELECT count(*)::int AS tables FROM tables')).rows, [{ tables: 4 }])
  t.same(await checksum(first), await checksum(memory))
  const orphans = 'SELECT count(*)::int AS orphans FROM records LEFT JOIN tables ON tables.id = table_id WHERE tables.id IS NULL'
  t.same((await memory.query(orphans)).rows, [{ orphans: 0 }])
  await t.rejects(memory.query("INSERT INTO records (table_id, fields) VALUES (99, '{}')"), { code: '23503' }, 'the foreign keys hold again')
  await memory.close()
  await first.query("UPDATE users SET name = 'Changed' WHERE id = 1")
  await first.close()

  const second = await openDatabase(dir)
  t.same((await second.query('SELECT name FROM users WHERE id = 1')).rows, [{ name: 'Changed' }])
  t.same((await second.query('SELECT count(*)::int AS users FROM users')).rows, [{ users: 10 }])
  await second.close()
})

t.test('openDatabase: a directory of other things is left alone', async (t) => {
  const dir = t.testdir({ 'letter.txt': 'Dear …' })
  await t.rejects(openDatabase(dir), { code: 'ENOTEMPTY' })
  t.same(await readdir(dir), ['letter.txt'])
})
