import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { FileStore } from '../../src/advisor/keeping/file-store.js'

const LEASE_MS = 600_000

async function pathOf (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-advice-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return join(folder, 'advice')
}

t.test('write: the salt and the state are there for the next process, in a file for its user alone', async (t) => {
  const path = await pathOf(t)
  const first = new FileStore(path)
  t.equal(await first.salt('proposed'), 'proposed')
  t.same(await first.take(), { slot: 0, state: undefined })
  for (const state of ['one', 'two']) t.ok(await first.write(0, '', Buffer.from(state), LEASE_MS))
  t.equal((await stat(path)).mode & 0o777, 0o600)
  const second = new FileStore(path)
  t.equal(await second.salt('another'), 'proposed')
  t.equal(Buffer.from((await second.take()).state!).toString(), 'two')
  t.same(await second.others(), [])
})

t.test('write: a salt that the app has is not in the file', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.take()
  await store.write(0, '', Buffer.from('state'), LEASE_MS)
  t.equal(await readFile(path, 'utf8'), 'cache-advice-1 -\nstate')
  t.equal(await new FileStore(path).salt('proposed'), 'proposed')
})

for (const content of ['', 'name = value\n', 'cache-advice-2 salt\nstate', `cache-advice-1 ${'x'.repeat(300)}\n`]) {
  t.test(`take: a file of another kind stays as it is: ${JSON.stringify(content.slice(0, 30))}`, async (t) => {
    const path = await pathOf(t)
    await writeFile(path, content)
    const store = new FileStore(path)
    await t.rejects(store.salt('proposed'), /none of the advisor/)
    await t.rejects(store.take(), /none of the advisor/)
    await t.rejects(store.write(0, '', Buffer.from('state'), LEASE_MS))
    t.equal(await readFile(path, 'utf8'), content)
  })
}

/** Writes a state as another process does, which last changed the file some milliseconds ago. */
async function writeOther (path: string, state: string, ago: number): Promise<void> {
  await writeFile(path, `cache-advice-1 proposed\n${state}`)
  const at = (Date.now() - ago) / 1000
  await utimes(path, at, at)
}

t.test('write: the last state of a process that is being replaced is continued, and the state goes on', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.salt('proposed')
  await store.take()
  await writeOther(path, 'last', 1000)
  t.notOk(await store.write(0, '', Buffer.from('one'), LEASE_MS))
  t.equal(Buffer.from((await store.take()).state!).toString(), 'last')
  for (const state of ['two', 'three']) t.ok(await store.write(0, '', Buffer.from(state), LEASE_MS))
  t.match(await readFile(path, 'utf8'), /three$/)
})

t.test('write: a file that another process writes all the time is not replaced, until that process is silent', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.salt('proposed')
  await store.take()
  await store.write(0, '', Buffer.from('one'), LEASE_MS)
  await writeOther(path, 'other', 1000)
  t.notOk(await store.write(0, '', Buffer.from('two'), LEASE_MS))
  await store.take()
  await writeOther(path, 'another', 500)
  await t.rejects(store.write(0, '', Buffer.from('two'), LEASE_MS), /another process writes/)
  t.match(await readFile(path, 'utf8'), /another$/)
  await writeOther(path, 'another', LEASE_MS + 1000)
  t.notOk(await store.write(0, '', Buffer.from('two'), LEASE_MS))
  await store.take()
  t.ok(await store.write(0, '', Buffer.from('two'), LEASE_MS))
})

t.test('write: a failure leaves no file behind, which would have the salt', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.take()
  await mkdir(path)
  await utimes(path, 0, 0)
  await t.rejects(store.write(0, '', Buffer.from('state'), LEASE_MS))
  t.same(await readdir(dirname(path)), [basename(path)])
})

t.test('take: a named pipe, from which a read would wait without end, and a folder are no files of the advisor', async (t) => {
  const path = await pathOf(t)
  execFileSync('mkfifo', [path])
  for (const each of [path, dirname(path)]) {
    const store = new FileStore(each)
    await t.rejects(store.salt('proposed'), /none of the advisor/)
    await t.rejects(store.take(), /none of the advisor/)
  }
})

t.test('salt: a file that cannot be read rejects', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(join(path, 'below', 'a', 'missing', 'folder'))
  t.equal(await store.salt('proposed'), 'proposed')
  await t.rejects(store.write(0, '', Buffer.from('state'), LEASE_MS), { code: 'ENOENT' })
  await writeFile(path, 'cache-advice-1 salt\nstate')
  await chmod(path, 0o000)
  if (process.getuid?.() !== 0) await t.rejects(new FileStore(path).salt('proposed'), { code: 'EACCES' })
})
