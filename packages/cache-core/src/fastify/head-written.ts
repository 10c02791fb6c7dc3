import type { ServerResponse } from 'node:http'

interface HeadListener { readonly written: (status: number) => void; readonly failed: (() => void) | undefined }

const kListeners = Symbol('@x/cache-core.head-listeners')

/** The response object of Node, over HTTP/1 or HTTP/2. */
type Raw = Pick<ServerResponse, 'writeHead'> & { [kListeners]?: HeadListener[] }

/**
 * Calls `written` once, when the head of a response has been written: replaces `writeHead` of this response alone. An onSend hook would be
 * too early, since a function that replaced `writeHead` before may still set a cookie. Fastify's onResponse hook would be too late, since
 * it waits until a slow client has read the body.
 * @param written called with the status, after all functions that replaced `writeHead` before; must not throw
 * @param failed called for each head that could not be written since it has an invalid field; Fastify writes another head instead
 */
export function whenHeadIsWritten (raw: Raw, written: (status: number) => void, failed?: () => void): void {
  const listeners = raw[kListeners]
  if (listeners === undefined) listen(raw, [{ written, failed }])
  else listeners.push({ written, failed })
}

function listen (raw: Raw, listeners: HeadListener[]): void {
  const before = Object.getOwnPropertyDescriptor(raw, 'writeHead')
  const { writeHead } = raw
  const listening = function (...args: [number]): unknown {
    let result: unknown
    try {
      result = writeHead.apply(raw as ServerResponse, args)
    } catch (error) {
      for (const { failed } of listeners) failed?.()
      throw error
    }
    // A function that replaced this `writeHead` later still calls it, so the original is restored only if this one is the current
    // `writeHead`.
    if (raw.writeHead === listening) restore(raw, before)
    delete raw[kListeners]
    for (const { written } of listeners.splice(0)) written(args[0])
    return result
  } as Raw['writeHead']
  raw[kListeners] = listeners
  raw.writeHead = listening
}

function restore (raw: Raw, before: PropertyDescriptor | undefined): void {
  if (before === undefined) delete (raw as { writeHead?: unknown }).writeHead
  else Object.defineProperty(raw, 'writeHead', before)
}
