import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { taggedOf } from './body-tags.js'
import { labelsIn, type Before, type Captured, type Final } from '../exchange/captured.js'
import { Recording, type Recorded, type RecordingMemory } from '../exchange/recording.js'
import { isGone } from './client-gone.js'
import { isToSerialise, whenSerialised, whileRead, type Pending } from './handler-view.js'
import { discard, isResponse } from './payload.js'
import type { SeenRequest } from './seen-request.js'
import { serializerOf, signalOf, UNKNOWN } from './slots.js'
import type { Judgement, Unstored, UnstoredReason } from '../exchange/storability.js'

/**
 * How a capture ended. `'aborted'`: the client or the stream broke off; `unstored`: the answer is too large, of a kind that
 * cannot be captured, or may not be stored; `'replaced'`: an error, a hijacked reply, another answer in its place, no memory
 * left: nothing follows for the stored response.
 */
export type Outcome = { readonly captured: Captured; readonly final: Final } | { readonly unstored: Unstored } | 'aborted' | 'replaced'

/**
 * Replaces an answer before it goes out. `'instead'`: another one is sent in its place; `'validated'`: it is the
 * 304 to the cache's own validators, and its headers count.
 */
export type Intercept = (status: number, error: Error | undefined) => 'instead' | 'validated' | undefined

/** Bounds of a capture, and the rule for what it is worth. */
export interface CaptureSettings {
  readonly maxBytes: number
  readonly memory: RecordingMemory
  readonly intercept: Intercept
  /** Whether an answer may be stored; asked for a stream as soon as its head has been sent. */
  readonly judge: (captured: Captured, final: Final) => Judgement
  /** Called when the answer is a stream whose end nobody can foretell. */
  readonly onStream?: () => void
}

/** How long a handler whose client has gone may take until nobody counts on its answer. */
const AFTER_CLOSE_MS = 10_000
const NO_BODY = Buffer.alloc(0)
/** Types of streams that usually go on for as long as somebody reads. */
const ENDLESS = /^(?:text\/event-stream|multipart\/x-mixed-replace)/i
/** The reason with which Fastify aborts the signal of a handler that has passed its `handlerTimeout`. */
const TIMED_OUT = 'FST_ERR_HANDLER_TIMEOUT'

type Headers = ReturnType<FastifyReply['getHeaders']>

/**
 * Listens in on one answer: replaces `reply.send` and `writeHead` of this reply alone, until each has been called once.
 * `outcome` resolves when the head has been written and the body is complete, or it is known that nothing will be kept.
 */
export class Capture implements Pending {
  readonly outcome: Promise<Outcome>
  readonly #reply: FastifyReply
  readonly #before: Headers
  readonly #settings: CaptureSettings
  readonly #seen: SeenRequest
  readonly #serializer: unknown
  #isSerialisedByHook = false
  #settle!: (outcome: Outcome) => void
  #isOpen = true
  #isOver = false
  #unstored: Unstored | undefined
  #status = 0
  #headers: Record<string, string | string[]> = {}
  #body: Buffer | undefined
  #isText = false
  #final: Final | undefined
  #recording: Recording | undefined
  #isHurried = false
  readonly #onClose = (): void => this.#closed()

  constructor (reply: FastifyReply, seen: SeenRequest, settings: CaptureSettings) {
    this.#reply = reply
    this.#settings = settings
    this.#seen = seen
    this.#before = { ...reply.getHeaders() }
    this.#serializer = serializerOf(reply)
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
      try {
        const written = writeHead.apply(raw, args)
        // Afterwards: whoever replaced it before may set a cookie at the last moment.
        capture.#headWritten(args[0])
        return written
      } catch (error) {
        // A header that cannot be written: an error is sent in its place.
        capture.#end('replaced')
        throw error
      }
    } as typeof writeHead
    const capture = this
    raw.once('close', this.#onClose)
  }

  /** Whether the answer is still to come. */
  get isOpen (): boolean { return this.#isOpen }

  /** The status that the handler gave its answer; `0`: it has sent none. */
  get status (): number { return this.#status }

  /** The headers that the handler set so far. */
  get own (): Record<string, string | string[]> { return changed(this.#before, this.#reply.getHeaders()) }

  /** The headers that hooks had set before the handler ran. */
  get before (): Before { return texts(this.#before) }

  /** The reason why the answer will not be stored, as far as its headers tell by now; `undefined`: there is none, or another answer went out in its place. */
  get unstored (): UnstoredReason | undefined {
    if (this.#isOver) return this.#unstored?.reason
    if (this.#body === undefined && this.#recording === undefined) return undefined
    return this.#settings.judge(this.#capturedWith(this.#body ?? NO_BODY), this.#finalWith(this.#reply.statusCode)).reason
  }

  /** Somebody waits for the outcome: a stream is read ahead of its client. */
  hurry (): void {
    this.#isHurried = true
    this.#recording?.runAhead()
  }

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
      discard(payload)
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
    this.#status = isResponse(payload) ? payload.status : reply.statusCode
    const taken = this.#isOver ? undefined : this.#settings.intercept(error === undefined ? this.#status : 500, error)
    if (taken !== undefined) {
      // Fastify would take the headers over behind the onSend hooks.
      if (taken === 'validated' && isResponse(payload)) for (const [name, value] of payload.headers) reply.header(name, value)
      // A handler that hears of the end of its stream may take that for a failure, and send an error.
      this.dropLate()
      discard(payload)
      this.#end('replaced')
      return reply
    }
    const isSerialised = isToSerialise(reply, payload)
    // What makes the text of an object sees what the handler saw; all behind it sees everything.
    if (!isSerialised) this.#seen.showAll()
    if (error !== undefined) this.#end('replaced')
    else if (payload === undefined) this.#keep(NO_BODY)
    else if (isSerialised) this.#keepSerialised(payload)
    else if (typeof payload === 'string') this.#keepPlain(payload, Buffer.from(payload), 'text/plain; charset=utf-8')
    else if (payload instanceof Uint8Array) this.#keepPlain(payload, Buffer.from(payload), 'application/octet-stream')
    else if (payload instanceof Readable) return send(this.#record(payload))
    else this.#endUnstored('unsupported-payload')
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
    const serializer = serializerOf(this.#reply)
    this.#isSerialisedByHook = serializer !== null && serializer !== UNKNOWN && serializer === this.#serializer
    const isKept = whenSerialised(this.#reply, this.#seen, (text) => {
      // Text with a type of its own that a serializer has changed: what is sent from here would be changed once more.
      if (typeof payload === 'string') return this.#endUnstored('serialized-text')
      // Other results of a serializer of the app's own are refused by Fastify, or are no body.
      if (typeof text !== 'string' && !(text instanceof Uint8Array)) return this.#endUnstored('unsupported-payload')
      this.#isText = typeof text === 'string'
      this.#keep(Buffer.from(text as string))
    })
    if (!isKept) this.#endUnstored('unsupported-payload')
  }

  #keep (body: Buffer): void {
    this.#headers = this.#labelled
    if (body.byteLength > this.#settings.maxBytes) return this.#endUnstored('too-large')
    this.#body = body
    this.#settleIfComplete()
  }

  /** The stream in whose place another one is sent that records it; the same one if nothing can come of a recording. */
  #record (stream: Readable): Readable {
    this.#headers = this.#labelled
    const length = this.#headers['content-length']
    // Without an end, too long, or read by somebody else: nobody is to wait for it.
    if (ENDLESS.test(String(this.#headers['content-type']))) this.#endUnstored('endless-stream')
    else if (Number(length) > this.#settings.maxBytes) this.#endUnstored('too-large')
    else if (stream.readableEnded) this.#endUnstored('unsupported-payload')
    else if (isGone(this.#reply)) this.#end('aborted')
    if (this.#isOver) {
      whileRead(stream, this.#seen)
      return stream
    }
    const recording = new Recording(stream, this.#settings, (recorded) => this.#recorded(recorded, length))
    this.#recording = recording
    if (length === undefined) this.#settings.onStream?.()
    if (this.#isHurried) recording.runAhead()
    whileRead(recording, this.#seen)
    // For a hook that sends something else in its place, and leaves it as it is.
    this.#reply.raw.once('close', () => recording.destroy())
    return recording
  }

  #recorded (recorded: Recorded, length: string | string[] | undefined): void {
    if (recorded === 'broken-off') return this.#end('aborted')
    if (recorded === 'too-large') return this.#endUnstored('too-large')
    if (recorded === 'no-memory') return this.#end('replaced')
    // RFC 9111 §3.3: a body shorter than announced is an incomplete one, although its stream has ended.
    if (length !== undefined && Number(length) !== recorded.byteLength) return this.#end('aborted')
    this.#body = recorded
    this.#settleIfComplete()
  }

  #headWritten (status: number): void {
    if (this.#isOver) return
    this.#final = this.#finalWith(status)
    if (this.#body !== undefined) return this.#settleIfComplete()
    // Something has failed on the way, such as a serializer: another answer than the handler's goes out.
    if (this.#recording === undefined) return this.#end('replaced')
    // Known before the body: nothing of it is held for a client that does not read it.
    const judgement = this.#settings.judge(this.#capturedWith(NO_BODY), this.#final)
    if (judgement.response === undefined) this.#endUnstored(judgement)
  }

  #settleIfComplete (): void {
    if (this.#final === undefined || this.#body === undefined) return
    if (this.#wasStopped()) return this.#end('aborted')
    this.#end({ captured: this.#capturedWith(this.#body), final: this.#final })
  }

  /** Whether the handler was told to stop: then nobody knows whether this is all that it meant to answer. */
  #wasStopped (): boolean {
    const signal = signalOf(this.#reply.request)
    if (signal?.aborted !== true) return false
    // Fastify also aborts the signal when the body of the request has been read, with the client still there.
    return isGone(this.#reply) || (signal.reason as { code?: unknown } | null)?.code === TIMED_OUT
  }

  #capturedWith (body: Buffer): Captured {
    const { before } = this
    const etag = (this.#headers.etag ?? before.etag)?.toString()
    return { status: this.#status, headers: this.#headers, before, etag, body, isText: this.#isText, isSerialisedByHook: this.#isSerialisedByHook }
  }

  #finalWith (status: number): Final {
    return { status, headers: texts(this.#reply.getHeaders()), tagged: taggedOf(this.#reply) }
  }

  /** The headers that the handler set, and the labels that hooks in front of it had given to its answer. */
  get #labelled (): Record<string, string | string[]> {
    return { ...Object.fromEntries(labelsIn(this.before)), ...this.own }
  }

  #closed (): void {
    // A hook has sent something else, or the reply was hijacked.
    if (!isGone(this.#reply)) return this.#end('replaced')
    // A handler that was told of it may have stopped halfway. One that was not makes what others wait for.
    if (signalOf(this.#reply.request) !== undefined) return this.#end('aborted')
    setTimeout(() => this.#end('aborted'), AFTER_CLOSE_MS).unref()
  }

  #endUnstored (why: UnstoredReason | Unstored): void {
    const unstored = typeof why === 'string' ? { reason: why } : why
    if (!this.#isOver) this.#unstored = unstored
    this.#end({ unstored })
  }

  #end (outcome: Outcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#reply.raw.off('close', this.#onClose)
    this.#recording?.stop()
    this.#settle(outcome)
  }
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
