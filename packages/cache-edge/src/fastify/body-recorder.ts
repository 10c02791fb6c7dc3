import { isGone } from '@x/cache-core/suite'
import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { Recording, type Recorded, type RecordingMemory } from '../exchange/recording.js'
import type { UnstoredReason } from '../exchange/judge-response.js'
import { isToSerialise, whenSerialised, whileRead } from './handler-view.js'
import { serializerOf, UNKNOWN } from './patches.js'
import { isResponse } from './payload.js'
import type { ReplyHeaders } from './reply-headers.js'
import type { SeenRequest } from './seen-request.js'

/**
 * The end of a recording. `'complete'`: the whole body was recorded; `'aborted'`, `'replaced'`: see `Outcome`; otherwise the reason why the
 * response is not stored.
 */
export type BodyEnd = 'complete' | 'aborted' | 'replaced' | UnstoredReason

/** The functions and objects of the response recorder that a body recorder uses. */
export interface BodyRecorderSettings {
  readonly headers: ReplyHeaders
  readonly seen: SeenRequest
  readonly maxBytes: number
  readonly memory: RecordingMemory
  /** Called when the body that the handler sends is a stream of unknown length. */
  readonly onStream: () => void
  readonly onEnd: (end: BodyEnd) => void
}

/** A web stream, in the type that Node's own functions for web streams expect. */
type WebStream = Parameters<typeof Readable.fromWeb>[0]

const NO_BODY = Buffer.alloc(0)
/** Content types of streams that usually do not end while their client is connected. */
const ENDLESS = /^(?:text\/event-stream|multipart\/x-mixed-replace)/i

/** Records the body that a handler sends, as it was before any onSend hook. */
export class BodyRecorder {
  /** The headers of the handler when it sent the body, with the labels that hooks had set; see `RecordedResponse`. */
  headers: Record<string, string | string[]> = {}
  /** The whole body that the handler sent; `undefined`: its recording has not ended. */
  body: Buffer | undefined
  isText = false
  isSerialisedByHook = false
  readonly #reply: FastifyReply
  readonly #settings: BodyRecorderSettings
  /** The serializer that a hook had set on the reply before the handler ran. */
  readonly #serializer: unknown
  #recording: Recording | undefined
  #isHurried = false
  #isOver = false

  constructor (reply: FastifyReply, settings: BodyRecorderSettings) {
    this.#reply = reply
    this.#settings = settings
    this.#serializer = serializerOf(reply)
  }

  /** Whether the handler has sent a body, and the whole or a part of it is recorded. */
  get hasBegun (): boolean { return this.body !== undefined || this.#recording !== undefined }

  /** Records the payload of the handler, and returns the payload that is sent in its place. */
  take (payload: unknown): unknown {
    if (isResponse(payload) && !payload.bodyUsed) return this.take(this.#unwrap(payload))
    const isSerialised = isToSerialise(this.#reply, payload)
    // The serializer of an object sees only the headers that the handler saw. A payload that is not serialised needs no such view, so the
    // whole request is shown at once.
    if (!isSerialised) this.#settings.seen.showAll()
    if (payload instanceof Error) this.#end('replaced')
    else if (payload === undefined) this.#complete(NO_BODY)
    else if (isSerialised) this.#takeSerialised(payload)
    else if (typeof payload === 'string') this.#takePlain(payload, Buffer.from(payload), 'text/plain; charset=utf-8')
    else if (payload instanceof Uint8Array) this.#takePlain(payload, Buffer.from(payload), 'application/octet-stream')
    else if (payload instanceof Readable) return this.#takeStream(payload)
    else if (payload instanceof ReadableStream && !payload.locked) return this.#takeStream(Readable.fromWeb(payload as WebStream))
    else this.#end('unsupported-payload')
    return payload
  }

  /** Reads a streamed body ahead of its client, since other requests wait for it. */
  hurry (): void {
    this.#isHurried = true
    this.#recording?.runAhead()
  }

  /** Ends the recording of the body; a streamed body is still sent to the client. */
  stop (): void {
    this.#isOver = true
    this.#recording?.stop()
  }

  /** Sets status and headers of a `Response` on the reply, as Fastify would after the onSend hooks, and returns its body. */
  #unwrap ({ status, headers, body }: Response): unknown {
    this.#reply.code(status)
    for (const [name, value] of headers) this.#reply.header(name, value)
    return body ?? undefined
  }

  /**
   * Records a string or bytes.
   * @param type the `Content-Type` that Fastify sets if the handler set none
   */
  #takePlain (payload: string | Uint8Array, body: Buffer, type: string): void {
    this.isText = typeof payload === 'string'
    const hasType = this.#reply.getHeader('content-type') !== undefined
    this.#complete(body, hasType ? undefined : type)
  }

  /**
   * Records a payload that Fastify serialises. Its text is known after the serialisation, between the preSerialization and the onSend
   * hooks.
   */
  #takeSerialised (payload: unknown): void {
    const serializer = serializerOf(this.#reply)
    this.isSerialisedByHook = serializer !== null && serializer !== UNKNOWN && serializer === this.#serializer
    const isTaken = whenSerialised(this.#reply, this.#settings.seen, (text) => {
      // A text that a serializer of the app changes is not stored, since the serializer would change the stored response once more when it
      // is served.
      if (typeof payload === 'string') return this.#end('serialized-text')
      // A result of the app's serializer that is neither text nor bytes is not stored: Fastify refuses such a result, or it is no body.
      if (typeof text !== 'string' && !(text instanceof Uint8Array)) return this.#end('unsupported-payload')
      this.isText = typeof text === 'string'
      this.#complete(Buffer.from(text as string))
    })
    if (!isTaken) this.#end('unsupported-payload')
  }

  #complete (body: Buffer, type?: string): void {
    this.headers = this.#settings.headers.labelled
    if (type !== undefined) this.headers['content-type'] = type
    if (body.byteLength > this.#settings.maxBytes) return this.#end('too-large')
    this.body = body
    this.#end('complete')
  }

  /**
   * Returns a stream that records this stream while the client reads it. Returns this stream itself if it cannot be recorded completely.
   */
  #takeStream (stream: Readable): Readable {
    this.headers = this.#settings.headers.labelled
    const length = this.headers['content-length']
    // The recording ends at once if the stream is endless, too long, or already read, so that no request waits for it.
    if (ENDLESS.test(String(this.headers['content-type']))) this.#end('endless-stream')
    else if (Number(length) > this.#settings.maxBytes) this.#end('too-large')
    else if (stream.readableEnded) this.#end('unsupported-payload')
    else if (isGone(this.#reply)) this.#end('aborted')
    if (this.#isOver) {
      whileRead(stream, this.#settings.seen)
      return stream
    }
    const recording = new Recording(stream, this.#settings, (recorded) => this.#recorded(recorded, length))
    this.#recording = recording
    if (length === undefined) this.#settings.onStream()
    if (this.#isHurried) recording.runAhead()
    whileRead(recording, this.#settings.seen)
    // The recording is destroyed with the reply, since a hook may send another payload and never destroy the stream.
    this.#reply.raw.once('close', () => recording.destroy())
    return recording
  }

  #recorded (recorded: Recorded, length: string | string[] | undefined): void {
    if (recorded === 'broken-off') return this.#end('aborted')
    if (recorded === 'too-large') return this.#end('too-large')
    if (recorded === 'no-memory') return this.#end('replaced')
    // A body shorter than its `Content-Length` is incomplete, although its stream has ended (RFC 9111 §3.3).
    if (length !== undefined && Number(length) !== recorded.byteLength) return this.#end('aborted')
    this.body = recorded
    this.#end('complete')
  }

  #end (end: BodyEnd): void {
    this.#settings.onEnd(end)
  }
}
