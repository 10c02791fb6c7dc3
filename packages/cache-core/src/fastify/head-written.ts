import type { ServerResponse } from 'node:http'

/** A response of Node, over HTTP/1 or HTTP/2. */
type Raw = Pick<ServerResponse, 'writeHead'>

/**
 * Calls back once, when the head of a response has been written. Replaces `writeHead` of this response alone, since a function that
 * replaced it before may still set a cookie there, behind every onSend hook. Fastify's onResponse hook comes too late: it waits until a
 * slow client has read the body.
 * @param written called with the status, behind all that replaced `writeHead` before; must not throw
 * @param failed called for each head that could not be written, since it holds an invalid field; another one is written in its place
 */
export function whenHeadIsWritten (raw: Raw, written: (status: number) => void, failed?: () => void): void {
  const before = Object.getOwnPropertyDescriptor(raw, 'writeHead')
  const { writeHead } = raw
  let isWritten = false
  const listening = function (...args: [number]): unknown {
    // A function that replaced this one in turn still calls it.
    if (isWritten) return writeHead.apply(raw as ServerResponse, args)
    try {
      const result = writeHead.apply(raw as ServerResponse, args)
      isWritten = true
      if (raw.writeHead === listening) restore(raw, before)
      written(args[0])
      return result
    } catch (error) {
      if (!isWritten) failed?.()
      throw error
    }
  } as Raw['writeHead']
  raw.writeHead = listening
}

function restore (raw: Raw, before: PropertyDescriptor | undefined): void {
  if (before === undefined) delete (raw as { writeHead?: unknown }).writeHead
  else Object.defineProperty(raw, 'writeHead', before)
}
