import type { FastifyReply } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { taggedOf, type Tagged } from './body-tags.js'

/** Headers as hooks in front of the handler had set them. */
export type Before = Readonly<Record<string, string | string[]>>

/** What a handler answered, as it was before any onSend hook. */
export interface Captured {
  readonly status: number
  /** What the handler set; not what hooks in front of it had set already. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** A `Vary` among them chooses nothing of the body, as those hooks run for every request. */
  readonly before: Before
  /** The `ETag` that the app had given it. */
  readonly etag: string | undefined
  readonly body: Buffer
  /** Whether it was sent as a string, or as an object. */
  readonly isText: boolean
}

/** What the client was sent in the end, once every onSend hook has run. */
export interface Final {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  /** The computed tag that it has, and of which body. */
  readonly tagged: Tagged | undefined
}

/**
 * What became of an answer. `'aborted'`: the client or the stream broke off; `'unkeepable'`: too large, or of a kind that
 * cannot be captured; `'replaced'`: an error, a hijacked reply, another answer in its place.
 */
export type Outcome = { readonly captured: Captured; readonly final: Final } | 'aborted' | 'unkeepable' | 'replaced'

/** What may be done with an answer before it goes out: `true` takes it over, and it is not sent. */
export type Intercept = (status: number, error: Error | undefined) => boolean

/** An answer that is still to come. */
export interface Pending {
  readonly isOpen: boolean
  /** Nothing will come of it any more: another answer is sent in its place. */
  takeOver (): void
}

/** Which headers of a request are seen. */
export interface SeenHeaders { readonly showSome: () => void; readonly showAll: () => void }

/** How long a handler whose client has gone may take until nobody counts on its answer. */
const AFTER_CLOSE_MS = 10_000

type Headers = ReturnType<FastifyReply['getHeaders']>
type Serializer = Parameters<FastifyReply['serializer']>[0]

/**
 * Listens in on one answer: replaces `reply.send` and `writeHead` of this reply alone, until each has been called once.
 * `outcome` resolves when the head has been written and the body is complete, or it is known that nothing will be kept.
 */
export class Capture implements Pending {
  readonly outcome: Promise<Outcome>
  readonly #reply: FastifyReply
  readonly #before: Headers
  readonly #maxBytes: number
  readonly #seen: SeenHeaders
  readonly #intercept: Intercept
  #settle!: (outcome: Outcome) => void
  #isOpen = true
  #status = 0
  #headers: Record<string, string | string[]> = {}
  #body: Buffer | undefined
  #isText = false
  #final: Final | undefined
  // A handler that is still at work may make what others wait for.
  readonly #onClose = (): void => { setTimeout(() => this.#end('aborted'), AFTER_CLOSE_MS).unref() }

  constructor (reply: FastifyReply, maxBytes: number, seen: SeenHeaders, intercept: Intercept) {
    this.#reply = reply
    this.#maxBytes = maxBytes
    this.#seen = seen
    this.#intercept = intercept
    this.#before = { ...reply.getHeaders() }
    this.outcome = new Promise((resolve) => { this.#settle = resolve })
    const { send } = reply
    reply.send = (payload?: unknown) => {
      this.#restoreSend()
      return this.#sent(payload, send.bind(reply))
    }
    const { raw } = reply
    const { writeHead } = raw
    raw.writeHead = function (this: typeof raw, ...args: Parameters<typeof writeHead>) {
      delete (raw as { writeHead?: unknown }).writeHead
      const written = writeHead.apply(raw, args)
      // Afterwards: whoever replaced it before may set a cookie at the last moment.
      capture.#headWritten(args[0])
      return written
    } as typeof writeHead
    const capture = this
    raw.once('close', this.#onClose)
  }

  /** Whether the answer is still to come. */
  get isOpen (): boolean { return this.#isOpen }

  /** The headers that the handler set so far. */
  get own (): Record<string, string | string[]> { return changed(this.#before, this.#reply.getHeaders()) }

  /** The headers that hooks had set before the handler ran. */
  get before (): Before { return texts(this.#before) }

  /** Nothing will come of it any more: another answer is sent in its place. */
  takeOver (): void {
    this.#restoreSend()
    this.#end('replaced')
  }

  /** The same, for an answer that has nothing of what the handler set. */
  undo (): void {
    this.takeOver()
    for (const name of Object.keys(this.own)) {
      this.#reply.removeHeader(name)
      if (this.#before[name] !== undefined) this.#reply.header(name, this.#before[name])
    }
  }

  /** Once another answer is under way: what the handler still sends comes too late, and a stream of it is ended. */
  dropLate (): void {
    const reply = this.#reply
    reply.send = (payload?: unknown) => {
      if (payload instanceof Readable) payload.destroy()
      return reply
    }
  }

  #restoreSend (): void {
    this.#isOpen = false
    // The own property hides the method of the prototype.
    delete (this.#reply as { send?: unknown }).send
  }

  #sent (payload: unknown, send: (payload?: unknown) => FastifyReply): FastifyReply {
    const reply = this.#reply
    const error = payload instanceof Error ? payload : undefined
    if (this.#intercept(error === undefined ? reply.statusCode : 500, error)) {
      if (payload instanceof Readable) payload.destroy()
      this.#end('replaced')
      return reply
    }
    this.#status = reply.statusCode
    const isSerialised = isToSerialise(reply, payload)
    // What makes the text of an object sees what the handler saw; all behind it sees everything.
    if (!isSerialised) this.#seen.showAll()
    if (error !== undefined) this.#end('replaced')
    else if (payload === undefined) this.#keep(Buffer.alloc(0))
    else if (isSerialised) this.#keepSerialised(payload)
    else if (typeof payload === 'string') this.#keepPlain(payload, Buffer.from(payload), 'text/plain; charset=utf-8')
    else if (payload instanceof Uint8Array) this.#keepPlain(payload, Buffer.from(payload), 'application/octet-stream')
    else if (payload instanceof Readable) return send(this.#tee(payload))
    else this.#end('unkeepable')
    return send(payload)
  }

  /** @param type that Fastify gives it if it has none */
  #keepPlain (payload: string | Uint8Array, body: Buffer, type: string): void {
    this.#isText = typeof payload === 'string'
    const hasType = this.#reply.getHeader('content-type') !== undefined
    this.#keep(body)
    if (!hasType) this.#headers['content-type'] = type
  }

  /** Its text is known once Fastify has serialised it, between the preSerialization and the onSend hooks. */
  #keepSerialised (payload: unknown): void {
    const isKept = whenSerialised(this.#reply, this.#seen, (text) => {
      // Text with a type of its own that a serializer has changed: what is sent from here would be changed once more.
      if (typeof payload === 'string') return this.#end('unkeepable')
      this.#isText = typeof text === 'string'
      this.#keep(Buffer.from(text as string))
    })
    if (!isKept) this.#end('unkeepable')
  }

  #keep (body: Buffer): void {
    this.#headers = this.own
    if (body.byteLength > this.#maxBytes) return this.#end('unkeepable')
    this.#body = body
    this.#settleIfComplete()
  }

  #tee (stream: Readable): Readable {
    const reply = this.#reply
    this.#headers = this.own
    // Without an end, and nobody is to wait for it.
    if (/^text\/event-stream/i.test(String(this.#headers['content-type']))) this.#end('unkeepable')
    const chunks: Buffer[] = []
    let bytes = 0
    const capture = this
    const tee = new Transform({
      // What is kept is in memory all the same: a client that reads slowly keeps nobody waiting for it.
      readableHighWaterMark: this.#maxBytes,
      transform (chunk: Buffer, _encoding, done) {
        bytes += chunk.byteLength
        if (bytes <= capture.#maxBytes) {
          chunks.push(chunk)
        } else {
          chunks.length = 0
          capture.#end('unkeepable')
        }
        done(null, chunk)
      },
      flush (done) {
        if (bytes <= capture.#maxBytes) {
          capture.#body = Buffer.concat(chunks)
          capture.#settleIfComplete()
        }
        done()
      }
    })
    stream.once('error', (error) => {
      capture.#end('aborted')
      tee.destroy(error)
    })
    tee.once('close', () => {
      if (!stream.readableEnded) stream.destroy()
      // Whatever is complete was settled by flush.
      if (capture.#body === undefined) capture.#end('aborted')
    })
    // Once it is wanted, which is behind the onSend hooks.
    whileRead(tee, {
      showSome: () => {
        this.#seen.showSome()
        stream.pipe(tee)
      },
      showAll: this.#seen.showAll
    })
    reply.raw.once('close', () => tee.destroy())
    return tee
  }

  #headWritten (status: number): void {
    this.#final = { status, headers: texts(this.#reply.getHeaders()), tagged: taggedOf(this.#reply) }
    this.#settleIfComplete()
  }

  #settleIfComplete (): void {
    if (this.#final === undefined || this.#body === undefined) return
    const { before } = this
    const etag = (this.#headers.etag ?? before.etag)?.toString()
    this.#end({ captured: { status: this.#status, headers: this.#headers, before, etag, body: this.#body, isText: this.#isText }, final: this.#final })
  }

  #end (outcome: Outcome): void {
    this.#reply.raw.off('close', this.#onClose)
    this.#settle(outcome)
  }
}

/** Brings all headers back when the answer is sent, in front of the onSend hooks. */
export function showAllBeforeSend (reply: FastifyReply, seen: SeenHeaders): Pending {
  return new BeforeSend(reply, seen)
}

class BeforeSend implements Pending {
  #isOpen = true
  readonly #reply: FastifyReply
  readonly #seen: SeenHeaders

  constructor (reply: FastifyReply, seen: SeenHeaders) {
    this.#reply = reply
    this.#seen = seen
    const { send } = reply
    reply.send = (payload?: unknown) => {
      this.#close()
      if (!isToSerialise(reply, payload) || !whenSerialised(reply, seen)) seen.showAll()
      if (payload instanceof Readable) whileRead(payload, seen)
      return send.call(reply, payload)
    }
    reply.raw.once('close', seen.showAll)
  }

  get isOpen (): boolean { return this.#isOpen }

  takeOver (): void {
    this.#close()
    this.#seen.showAll()
  }

  #close (): void {
    this.#isOpen = false
    delete (this.#reply as { send?: unknown }).send
  }
}

/** Whether Fastify serialises a payload. A string it hands to a serializer of one's own, too, if it has a type. */
function isToSerialise (reply: FastifyReply, payload: unknown): boolean {
  if (payload === undefined || payload instanceof Error) return false
  if (typeof payload === 'string') return reply.getHeader('content-type') !== undefined && serializerOf(reply) !== null
  return payload === null || !(payload instanceof Uint8Array || isOtherBody(payload))
}

/**
 * Calls back with the text that Fastify makes of a payload. What makes it sees what the handler saw, and all headers are
 * shown behind it. `false`: Fastify refuses to serialise it.
 */
function whenSerialised (reply: FastifyReply, seen: SeenHeaders, then?: (text: unknown) => void): boolean {
  const own = serializerOf(reply)
  const type = reply.getHeader('content-type')
  if (own === NO_SERIALIZER_SLOT || (own === null && type !== undefined && !/json/i.test(String(type)))) {
    seen.showAll()
    return false
  }
  // Where there is a serializer Fastify leaves the type to it.
  if (own === null && type === undefined) reply.header('content-type', 'application/json; charset=utf-8')
  else if (own === null && !/;\s*charset=/i.test(String(type))) reply.header('content-type', `${String(type)}; charset=utf-8`)
  reply.serializer((value: unknown) => {
    try {
      reply.serializer(own as Serializer)
      const bySchema = own === null ? reply.getSerializationFunction(String(reply.statusCode), String(type ?? 'application/json').split(';', 1)[0]!) : undefined
      const text: unknown = (bySchema ?? own as Serializer | null ?? ((each: unknown) => reply.serialize(each as Record<string, unknown>)))(value as Record<string, unknown>)
      then?.(text)
      return text as string
    } finally {
      seen.showAll()
    }
  })
  return true
}

/** A body may be made as it is read, with another look at the request: that sees what the handler saw. */
function whileRead (stream: Readable, { showSome, showAll }: SeenHeaders): void {
  const { _read } = stream
  stream._read = function (size) {
    stream._read = _read
    showSome()
    _read.call(stream, size)
  }
  stream.once('close', showAll)
}

/** Shows a handler these request headers alone, until the others are brought back. */
export function withHeaders (raw: { headers: IncomingHttpHeaders }, headers: IncomingHttpHeaders): SeenHeaders {
  const original = raw.headers
  const show = (value: IncomingHttpHeaders): void => { Object.defineProperty(raw, 'headers', { value, configurable: true, writable: true, enumerable: true }) }
  show(headers)
  return { showSome: () => show(headers), showAll: () => show(original) }
}

function changed (before: Headers, now: Headers): Record<string, string | string[]> {
  const own: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(texts(now))) {
    if (before[name] === undefined || String(before[name]) !== String(value)) own[name] = value
  }
  return own
}

function texts (headers: Headers): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? value.map(String) : String(value)
  }
  return result
}

function isOtherBody (payload: unknown): boolean {
  const body = payload as { pipe?: unknown; getReader?: unknown }
  return typeof body.pipe === 'function' || typeof body.getReader === 'function' || Object.prototype.toString.call(payload) === '[object Response]'
}

const NO_SERIALIZER_SLOT = Symbol('no slot')
let serializerSlot: symbol | undefined

/** What `reply.serializer()` was given; `null`: nothing. Fastify keeps it under a symbol of its own, and offers no way to ask. */
export function serializerOf (reply: FastifyReply): unknown {
  serializerSlot ??= Object.getOwnPropertySymbols(reply).find(({ description }) => description === 'fastify.reply.serializer')
  return serializerSlot === undefined ? NO_SERIALIZER_SLOT : (reply as unknown as Record<symbol, unknown>)[serializerSlot]
}
