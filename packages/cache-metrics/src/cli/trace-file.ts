import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { AdvisorError } from './errors.js'

const CHUNK_BYTES = 256 * 1024
/** The maximum length of a line in a trace file, in characters; longer lines are skipped, so that memory stays bounded. */
const MAX_LINE = 64 * 1024

/** The first bytes of files that are not read, in hexadecimal digits, each with the command that makes text of such a file. */
const FOREIGN: ReadonlyArray<readonly [bytes: RegExp, kind: string, command: string]> = [
  [/^28b52ffd/, 'compressed by zstd', 'zstd -dc'],
  [/^fd377a58/, 'compressed by xz', 'xz -dc'],
  [/^425a683[1-9]/, 'compressed by bzip2', 'bzip2 -dc'],
  [/^504b0304/, 'a zip archive', 'unzip -p'],
  [/^fffe/, 'UTF-16', 'iconv -f utf-16 -t utf-8'],
  [/^feff/, 'UTF-16', 'iconv -f utf-16 -t utf-8']
]

/** Receives the lines of a trace file, one after another. */
export interface LineTaker {
  /** Receives a line without its line feed, with one character per byte: in UTF-8 no ASCII character is a byte of another character. */
  line (text: string): void
  /** Called in place of `line` for a line that is longer than the limit. */
  tooLong (): void
}

/** Receives the progress of reading a trace file: the bytes read, and the size of the file; `undefined`: the size is not known. */
export type Progress = (bytes: number, size: number | undefined) => void

/**
 * Reads a trace file, plain or gzip, line by line, in bounded memory; `-` is standard input.
 * @throws `CACHE_ERR_ADVISOR` if the file cannot be read to its end
 */
export async function readLines (file: string, stdin: AsyncIterable<Buffer>, taker: LineTaker, progress: Progress): Promise<void> {
  const name = file === '-' ? 'Standard input' : file
  let opened: Opened | undefined
  try {
    opened = file === '-' ? undefined : await openFile(file)
    const { chunks, size } = opened ?? { chunks: stdin, size: undefined }
    let bytes = 0
    const splitter = new Splitter(taker)
    for await (const chunk of inflated(counted(chunks, (length) => { bytes += length }))) {
      splitter.push(chunk)
      progress(bytes, size)
    }
    splitter.end()
  } catch (error) {
    if (error instanceof AdvisorError) throw error
    throw new AdvisorError(`${name} ${whyNot(error as NodeJS.ErrnoException)}`, { cause: error })
  } finally {
    // The file's stream is destroyed here, since the loop does not destroy it after an error in the first chunk.
    opened?.chunks.destroy()
  }
}

interface Opened { readonly chunks: Readable, readonly size: number | undefined }

async function openFile (file: string): Promise<Opened> {
  const handle = await open(file)
  const stats = await handle.stat()
  // The size is known only for a regular file, not for a pipe.
  return { chunks: handle.createReadStream({ highWaterMark: CHUNK_BYTES }), size: stats.isFile() ? stats.size : undefined }
}

async function * counted (chunks: AsyncIterable<Buffer>, count: (length: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    count(chunk.length)
    yield chunk
  }
}

async function * inflated (chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  // The first bytes show whether the input is text, gzip or a file that is not read, since standard input has no file name.
  let head: Buffer = Buffer.alloc(0)
  for (let next; head.length < 4 && (next = await chunks.next()).done !== true;) head = Buffer.concat([head, next.value])
  const foreign = FOREIGN.find(([bytes]) => bytes.test(head.toString('hex', 0, 4)))
  if (foreign !== undefined) throw new Unreadable(`is ${foreign[1]}, which is not read: pipe the output of \`${foreign[2]}\` to --trace -`)
  const all = behind(head, chunks)
  if (head[0] !== 0x1f || head[1] !== 0x8b) yield * all
  // The callback of `pipeline` does nothing: a failure of the input or of the gunzip stream rejects the iteration over the result.
  else yield * pipeline(all, createGunzip({ chunkSize: CHUNK_BYTES }), () => {})
}

async function * behind (head: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield head
  yield * chunks
}

class Splitter {
  #rest = ''
  #isTooLong = false
  readonly #taker: LineTaker

  constructor (taker: LineTaker) {
    this.#taker = taker
  }

  push (chunk: Buffer): void {
    const text = this.#rest + chunk.toString('latin1')
    let from = 0
    for (let at = text.indexOf('\n', this.#rest.length); at !== -1; at = text.indexOf('\n', from)) {
      this.#take(text.slice(from, at))
      from = at + 1
    }
    this.#rest = text.slice(from)
    if (this.#rest.length <= MAX_LINE) return
    this.#isTooLong = true
    this.#rest = ''
  }

  end (): void {
    if (this.#rest !== '' || this.#isTooLong) this.#take(this.#rest)
  }

  #take (line: string): void {
    if (this.#isTooLong || line.length > MAX_LINE) this.#taker.tooLong()
    else this.#taker.line(line)
    this.#isTooLong = false
  }
}

/** The reason why an input is not read; its message continues a sentence that begins with the name of the file. */
class Unreadable extends Error {}

function whyNot (error: NodeJS.ErrnoException): string {
  const { code, message } = error
  if (error instanceof Unreadable) return message
  switch (code) {
    case 'ENOENT': return 'does not exist'
    case 'EISDIR': return 'is a directory, not a file'
    case 'EACCES': return 'may not be read by this user'
    case 'Z_BUF_ERROR': return 'ends in the middle of its compressed data'
    case 'Z_DATA_ERROR': return 'is damaged: its compressed data cannot be read'
    default: return `cannot be read: ${message}`
  }
}
