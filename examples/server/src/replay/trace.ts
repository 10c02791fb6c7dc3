import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

/**
 * Returns the ids of a trace file, plain or gzip, with one id per line, in their order; empty lines are skipped. The file is streamed, so
 * that a trace of any length can be read.
 */
export async function openTrace (file: string, limit = Infinity): Promise<AsyncGenerator<string>> {
  try {
    return ids(file, await chunks(file), limit)
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

async function chunks (file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file)
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(2), position: 0 })
  const raw = handle.createReadStream({ start: 0 })
  if (bytesRead < 2 || !buffer.equals(GZIP_MAGIC)) return raw
  // A failure of one stream ends the other stream and rejects the iteration.
  return pipeline(raw, createGunzip(), () => {})
}

async function * ids (file: string, chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<string> {
  let count = 0
  try {
    for await (const id of lines(chunks)) {
      if (count >= limit) return
      if (id === '') continue
      count++
      yield id
    }
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

async function * lines (chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop()!
    for (const part of parts) yield part.trim()
  }
  yield rest.trim()
}

function unreadable (file: string, cause: unknown): Error {
  return new Error(`Cannot read the trace ${file}: ${(cause as Error).message}`, { cause })
}

/** Returns the authors who must be credited in results of a known trace; `undefined`: the trace is not known. */
export function sourceOf (file: string): string | undefined {
  if (!/\bweb07\./.test(file)) return undefined
  return 'web07 of the cache2k trace collection, © headissue GmbH, Jens Wilke, CC BY 4.0'
}
