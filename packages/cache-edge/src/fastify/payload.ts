import { Readable } from 'node:stream'

/** Whether a payload is a `Response` of fetch, whose status and headers Fastify applies after the onSend hooks. */
export function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

/** Whether Fastify sends a payload as a stream, so that it does not serialise it. */
export function isStreamed (payload: unknown): boolean {
  const body = payload as { pipe?: unknown; getReader?: unknown } | null | undefined
  return typeof body?.pipe === 'function' || typeof body?.getReader === 'function' || isResponse(payload)
}

/** Limits in bytes and milliseconds after which an unread stream of HTTP/2 is destroyed. */
const MAX_DRAINED_BYTES = 65_536
const MAX_DRAIN_MS = 1000

/** Whether a stream belongs to `node:http2`. The check needs the stream's properties, since the class of these streams is not exported. */
function isOfHttp2 (stream: Readable): boolean {
  return 'rstCode' in stream && 'session' in stream
}

/** Reads the rest of a stream that ends soon. Destroying the stream would emit an error on its HTTP/2 session. */
function drain (stream: Readable): void {
  let left = MAX_DRAINED_BYTES
  const timer = setTimeout(() => stream.destroy(), MAX_DRAIN_MS).unref()
  stream.once('close', () => clearTimeout(timer))
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.byteLength
    if (left < 0) stream.destroy()
  })
}

/** Destroys a response payload that will not be read, so that files and connections behind it are closed. Never throws. */
export function discard (payload: unknown): void {
  const body: any = isResponse(payload) ? payload.body : payload
  if (!isStreamed(body)) return
  // The listener prevents an uncaught error, since an endless stream may fail as it is destroyed.
  if (body instanceof Readable) body.on('error', () => {})
  if (body instanceof Readable && isOfHttp2(body)) return drain(body)
  try {
    if (typeof body.destroy === 'function') body.destroy()
    // The rejection is ignored: a web stream that has another reader cannot be cancelled, and remains as it is.
    else if (typeof body.cancel === 'function') Promise.resolve(body.cancel()).catch(() => {})
  } catch {
    // The error is ignored, since nothing else can be done for a stream of the app that cannot be ended.
  }
}
