import { isGone, whenHeadIsWritten } from '@x/cache-core/suite'
import type { FastifyReply } from 'fastify'
import type { Before, RecordedResponse, Final } from '../exchange/recorded-response.js'
import type { Failure, Outcome, RecordedRun, RunListener } from '../exchange/recorded-run.js'
import type { Unstored, UnstoredReason } from '../exchange/judge-response.js'
import { BodyRecorder, type BodyEnd } from './body-recorder.js'
import type { Pending } from './handler-view.js'
import { clearError, interceptSend, restoreSend, signalOf } from './patches.js'
import { discard, isResponse } from './payload.js'
import { ReplyHeaders } from './reply-headers.js'
import { runHandler, statusOf } from './run-handler.js'
import type { SeenRequest } from './seen-request.js'

/** Milliseconds that a handler may take after its client has disconnected; afterwards its response counts as aborted. */
const AFTER_CLOSE_MS = 10_000
const NO_BODY = Buffer.alloc(0)
/** The code of the reason with which Fastify aborts `request.signal` after its `handlerTimeout`. */
const TIMED_OUT = 'FST_ERR_HANDLER_TIMEOUT'

/**
 * Runs a handler and records its response: the body before any onSend hook, and the head when it is written. The recorder intercepts
 * `reply.send` and `writeHead` of this reply alone, until each has been called once.
 */
export class ResponseRecorder implements RecordedRun, Pending {
  readonly outcome: Promise<Outcome>
  readonly #reply: FastifyReply
  readonly #headers: ReplyHeaders
  readonly #listener: RunListener
  readonly #seen: SeenRequest
  readonly #run: () => unknown
  readonly #body: BodyRecorder
  #settle!: (outcome: Outcome) => void
  #isOpen = true
  #isOver = false
  #unstored: Unstored | undefined
  #status = 0
  #final: Final | undefined
  readonly #onClose = (): void => this.#closed()

  /**
   * Intercepts the response of a reply, so that it is recorded.
   * @param run calls the handler
   */
  constructor (reply: FastifyReply, seen: SeenRequest, run: () => unknown, listener: RunListener) {
    this.#reply = reply
    this.#listener = listener
    this.#seen = seen
    this.#run = run
    this.#headers = new ReplyHeaders(reply)
    this.#body = new BodyRecorder(reply, {
      headers: this.#headers,
      seen,
      maxBytes: listener.maxBytes,
      memory: listener.memory,
      onStream: () => listener.onStream(),
      onEnd: (end) => this.#bodyEnded(end)
    })
    this.outcome = new Promise((resolve) => { this.#settle = resolve })
    interceptSend(reply, (payload, send) => this.#sent(payload, send))
    whenHeadIsWritten(reply.raw, (status) => this.#headWritten(status), () => this.#end('replaced'))
    reply.raw.once('close', this.#onClose)
  }

  /** Whether the recorder still waits for the response of the handler. */
  get isOpen (): boolean { return this.#isOpen }

  get status (): number { return this.#status }

  get own (): RecordedResponse['headers'] { return this.#headers.own }

  get before (): Before { return this.#headers.before }

  get unstored (): UnstoredReason | undefined {
    if (this.#isOver) return this.#unstored?.reason
    if (!this.#body.hasBegun) return undefined
    return this.#listener.judge(this.#recordedWith(this.#body.body ?? NO_BODY), this.#headers.finalWith(this.#reply.statusCode)).reason
  }

  start (): Promise<Failure | undefined> {
    return runHandler(this.#run, this.#reply, this).then(() => undefined, (error: unknown) => ({ error }))
  }

  statusOf (error: unknown): number {
    return statusOf(error, this.#reply)
  }

  hurry (): void {
    this.#body.hurry()
  }

  showAll (): void {
    this.#seen.showAll()
  }

  takeOver (): void {
    this.#restoreSend()
    this.#end('replaced')
  }

  undo (): void {
    this.#seen.showAll()
    this.takeOver()
    this.#headers.restore()
    clearError(this.#reply)
  }

  dropLate (): void {
    const reply = this.#reply
    interceptSend(reply, (payload) => {
      discard(payload)
      return reply
    })
  }

  #restoreSend (): void {
    this.#isOpen = false
    restoreSend(this.#reply)
  }

  #sent (payload: unknown, send: (payload?: unknown) => FastifyReply): FastifyReply {
    const reply = this.#reply
    this.#restoreSend()
    const error = payload instanceof Error ? payload : undefined
    this.#status = isResponse(payload) ? payload.status : reply.statusCode
    const taken = this.#isOver ? undefined : this.#listener.intercept(error === undefined ? this.#status : 500, error)
    if (taken === undefined) return send(this.#body.take(payload))
    // The headers of a `Response` are set here, since Fastify would set them after the onSend hooks.
    if (taken === 'validated' && isResponse(payload)) for (const [name, value] of payload.headers) reply.header(name, value)
    // Payloads that the handler sends later are dropped: it may take the destruction of this stream for a failure, and send an error.
    this.dropLate()
    discard(payload)
    this.#end('replaced')
    return reply
  }

  #headWritten (status: number): void {
    if (this.#isOver) return
    this.#final = this.#headers.finalWith(status)
    if (this.#body.body !== undefined) return this.#settleIfComplete()
    // The handler has sent no body, so this head belongs to another response, such as the error response after a failure in a serializer.
    if (!this.#body.hasBegun) return this.#end('replaced')
    // A stream is judged before its body is complete, so that no memory is used for a recording while a slow client reads.
    const judgement = this.#listener.judge(this.#recordedWith(NO_BODY), this.#final)
    if (judgement.response === undefined) this.#endUnstored(judgement)
  }

  #bodyEnded (end: BodyEnd): void {
    if (end === 'complete') this.#settleIfComplete()
    else if (end === 'aborted' || end === 'replaced') this.#end(end)
    else this.#endUnstored({ reason: end })
  }

  #settleIfComplete (): void {
    const { body } = this.#body
    if (this.#final === undefined || body === undefined) return
    if (this.#wasStopped()) return this.#end('aborted')
    this.#end({ recorded: this.#recordedWith(body), final: this.#final })
  }

  /** Whether the handler was aborted by a signal, so that its response may be incomplete. */
  #wasStopped (): boolean {
    const signal = signalOf(this.#reply.request)
    if (signal?.aborted !== true) return false
    // An aborted signal alone does not suffice: Fastify also aborts the signal when the body of the request has been read, although the
    // client is still connected.
    return isGone(this.#reply) || (signal.reason as { code?: unknown } | null)?.code === TIMED_OUT
  }

  #recordedWith (body: Buffer): RecordedResponse {
    const { before } = this
    const { headers, isText, isSerialisedByHook } = this.#body
    return { status: this.#status, headers, before, etag: (headers.etag ?? before.etag)?.toString(), body, isText, isSerialisedByHook }
  }

  #closed (): void {
    // The client is still connected, so the response differs from the recorded payload: a hook has sent another payload, or the reply was
    // hijacked.
    if (!isGone(this.#reply)) return this.#end('replaced')
    // A handler that listens to its signal may have stopped before its response was complete. Any other handler continues after its client
    // has disconnected, and other requests wait for its response.
    if (signalOf(this.#reply.request) !== undefined) return this.#end('aborted')
    setTimeout(() => this.#end('aborted'), AFTER_CLOSE_MS).unref()
  }

  #endUnstored (unstored: Unstored): void {
    if (!this.#isOver) this.#unstored = unstored
    this.#end({ unstored })
  }

  #end (outcome: Outcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#reply.raw.off('close', this.#onClose)
    this.#body.stop()
    this.#settle(outcome)
  }
}
