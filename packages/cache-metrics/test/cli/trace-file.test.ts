import { tmpdir } from 'node:os'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { readLines } from '../../src/cli/trace-file.js'
import { fileOf } from '../fixtures/run-cli.js'

async function * inPieces (content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

/** Returns the lines of a file or of standard input; `undefined` stands for a line that is too long. */
async function read (
  file: string, stdin: AsyncIterable<Buffer> = inPieces(Buffer.alloc(0), 1),
  progress: (bytes: number, size: number | undefined) => void = () => {}
) {
  const lines: Array<string | undefined> = []
  await readLines(file, stdin, { line: (text) => { lines.push(text) }, tooLong: () => { lines.push(undefined) } }, progress)
  return lines
}

t.test('readLines: the last line needs no end', async (t) => {
  t.same(await read(fileOf(t, 'a\nb\n')), ['a', 'b'])
  t.same(await read(fileOf(t, 'a\n\nb')), ['a', '', 'b'])
  t.same(await read(fileOf(t, '')), [])
})

t.test('readLines: lines are the same in whatever pieces they come, plain and gzip', async (t) => {
  const text = 'one\ntwo\n\nthree, longer than others\n'
  for (const size of [1, 2, 3, 7, 1000]) {
    t.same(await read('-', inPieces(Buffer.from(text), size)), text.trim().split('\n'))
    t.same(await read('-', inPieces(gzipSync(text), size)), text.trim().split('\n'))
  }
})

t.test('readLines: gzip is told by what is in a file, and may be several after each other', async (t) => {
  t.same(await read(fileOf(t, Buffer.concat([gzipSync('a\n'), gzipSync('b\n')]), 'trace.txt')), ['a', 'b'])
  t.same(await read(fileOf(t, 'plain', 'trace.gz')), ['plain'])
})

for (const [kind, bytes, command] of [
  ['zstd', '28b52ffd04', 'zstd -dc'], ['xz', 'fd377a585a00', 'xz -dc'], ['bzip2', '425a6839314159', 'bzip2 -dc'], ['zip', '504b030414', 'unzip -p'],
  ['UTF-16', 'fffe61000a00', 'iconv'], ['UTF-16', 'feff0061000a', 'iconv']
] as const) {
  t.test(`readLines: ${kind} is refused with the command that makes text of it (${bytes})`, async (t) => {
    const content = Buffer.from(bytes, 'hex')
    const error = { code: 'CACHE_ERR_ADVISOR', message: new RegExp(`is .*${kind}.*\`${command}`) }
    await t.rejects(read(fileOf(t, content)), error)
    await t.rejects(read('-', inPieces(content, 1)), error)
  })
}

t.test('readLines: a line of a megabyte is one that is too long, and the next is read', async (t) => {
  const long = 'x'.repeat(1024 * 1024)
  t.same(await read(fileOf(t, `a\n${long}\nb\n`)), ['a', undefined, 'b'])
  t.same(await read('-', inPieces(Buffer.from(`a\n${long}\nb\n${long}`), 1000)), ['a', undefined, 'b', undefined])
})

t.test('readLines: reports its progress', async (t) => {
  const seen: unknown[] = []
  await read(fileOf(t, gzipSync('a\n')), undefined, (...progress) => seen.push(progress))
  t.same(seen.at(-1), [gzipSync('a\n').length, gzipSync('a\n').length])
  await read('-', inPieces(Buffer.from('a\nb'), 3), (...progress) => seen.push(progress))
  t.same(seen.at(-1), [3, undefined])
})

t.test('readLines: what cannot be read to its end is refused, with the reason', async (t) => {
  const zipped = gzipSync(Array.from({ length: 10_000 }, (_, at) => `key:${at * 7919}`).join('\n'))
  const damaged = Buffer.from(zipped)
  damaged.fill(0xff, 100, 200)
  const refused: Array<[string, RegExp]> = [
    ['/no/such/file', /does not exist/],
    [tmpdir(), /is a directory/],
    [fileOf(t, zipped.subarray(0, zipped.length / 2)), /ends in the middle/],
    [fileOf(t, zipped.subarray(0, 5)), /ends in the middle/],
    [fileOf(t, damaged), /damaged/]
  ]
  for (const [file, message] of refused) await t.rejects(read(file), { code: 'CACHE_ERR_ADVISOR', message })
  async function * failing (): AsyncGenerator<Buffer> {
    yield Buffer.from('a\n')
    throw new Error('gone')
  }
  await t.rejects(read('-', failing()), { code: 'CACHE_ERR_ADVISOR', message: /^Standard input cannot be read: gone$/ })
})
