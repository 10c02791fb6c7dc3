import { Readable } from 'node:stream'

/** Whether a payload is a `Response` of fetch, whose head Fastify takes over behind the onSend hooks. */
export function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Whether Fastify sends a payload as it is read, and does not serialise it. */
export function isStreamed (payload: unknown): boolean {
  const body = payload as { pipe?: unknown; getReader?: unknown } | null | undefined
  return typeof body?.pipe === 'function' || typeof body?.getReader === 'function' || isResponse(payload)
}

/** Bytes and milliseconds after which an unread stream of HTTP/2 is destroyed after all. */
const MAX_DRAINED_BYTES = 65_536
const MAX_DRAIN_MS = 1000

/** Whether a stream is one of `node:http2`, the class of which Node does not show. */
function isOfHttp2 (stream: Readable): boolean {
  return 'rstCode' in stream && 'session' in stream
}

/** Reads the rest of a stream that ends soon, since destroying it would emit an error on its session. */
function drain (stream: Readable): void {
  let left = MAX_DRAINED_BYTES
  const timer = setTimeout(() => stream.destroy(), MAX_DRAIN_MS).unref()
  stream.once('close', () => clearTimeout(timer))
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.byteLength
    if (left < 0) stream.destroy()
  })
}

/** Destroys a payload that will not be read, so that files and connections behind it are closed. Never throws. */
export function discard (payload: unknown): void {
  const body: any = isResponse(payload) ? payload.body : payload
  if (!isStreamed(body)) return
  // A stream without an end may fail as it is destroyed.
  if (body instanceof Readable) body.on('error', () => {})
  if (body instanceof Readable && isOfHttp2(body)) return drain(body)
  try {
    if (typeof body.destroy === 'function') body.destroy()
    // A stream with another reader stays as it is, and the promise rejects.
    else if (typeof body.cancel === 'function') Promise.resolve(body.cancel()).catch(() => {})
  } catch {
    // A stream of the app's own that cannot even be ended: nothing is left to do with it.
  }
}
