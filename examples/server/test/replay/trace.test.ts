import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { openTrace, sourceOf } from '../../src/replay/trace.js'

const dir = t.testdir()
const write = async (name: string, content: string | Buffer) => {
  const file = join(dir, name)
  await writeFile(file, content)
  return file
}
const read = async (file: string, limit?: number) => {
  const ids: string[] = []
  for await (const id of await openTrace(file, limit)) ids.push(id)
  return ids
}

t.test('openTrace: plain and gzip are told apart by content, not by name', async (t) => {
  t.same(await read(await write('plain.gz', '1\n2\n3\n')), ['1', '2', '3'])
  t.same(await read(await write('packed.txt', gzipSync('1\n2\n3\n'))), ['1', '2', '3'])
})

t.test('openTrace: empty lines and Windows line ends do not count, a last line without an end does', async (t) => {
  t.same(await read(await write('odd', '\n\r\n a\r\n\nb')), ['a', 'b'])
  t.same(await read(await write('empty', '')), [])
  t.same(await read(await write('one', '7')), ['7'])
})

t.test('openTrace: ids across the borders of chunks stay whole', async (t) => {
  const ids = Array.from({ length: 50_000 }, (_, n) => `ключ-${n}`)
  t.same(await read(await write('long', gzipSync(ids.join('\n')))), ids)
})

t.test('openTrace: stops at the limit', async (t) => {
  t.same(await read(await write('many', '1\n2\n3\n4\n'), 2), ['1', '2'])
})

t.test('openTrace: a file that is missing or cut off is named', async (t) => {
  await t.rejects(openTrace(join(dir, 'none')), { message: /Cannot read the trace .*none/ })
  const whole = gzipSync(Array.from({ length: 5000 }, (_, n) => n * 7919 % 5003).join('\n'))
  await t.rejects(read(await write('cut.gz', whole.subarray(0, 2000))), { message: /Cannot read the trace .*cut\.gz.*unexpected end of file/ })
})

t.test('sourceOf: names the owner of the web07 trace', async (t) => {
  t.match(sourceOf('/x/web07.ids.gz'), /headissue.*CC BY 4\.0/)
  t.equal(sourceOf('/x/mine.gz'), undefined)
})
