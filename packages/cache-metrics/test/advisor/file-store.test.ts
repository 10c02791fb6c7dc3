import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { FileStore } from '../../src/advisor/keeping/file-store.js'

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
  for (const state of ['one', 'two']) t.ok(await first.write(0, '', Buffer.from(state)))
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
  await store.write(0, '', Buffer.from('state'))
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
    await t.rejects(store.write(0, '', Buffer.from('state')))
    t.equal(await readFile(path, 'utf8'), content)
  })
}

t.test('write: a file that another process has written to is not replaced', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.salt('proposed')
  await store.take()
  await store.write(0, '', Buffer.from('one'))
  await writeFile(path, 'cache-advice-1 proposed\nother')
  await utimes(path, 1, 1)
  await t.rejects(store.write(0, '', Buffer.from('two')), /another process writes/)
  t.match(await readFile(path, 'utf8'), /other$/)
})

t.test('write: a failure leaves no file behind, which would have the salt', async (t) => {
  const path = await pathOf(t)
  const store = new FileStore(path)
  await store.take()
  await mkdir(path)
  await utimes(path, 0, 0)
  await t.rejects(store.write(0, '', Buffer.from('state')))
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
  await t.rejects(store.write(0, '', Buffer.from('state')), { code: 'ENOENT' })
  await writeFile(path, 'cache-advice-1 salt\nstate')
  await chmod(path, 0o000)
  if (process.getuid?.() !== 0) await t.rejects(new FileStore(path).salt('proposed'), { code: 'EACCES' })
})
