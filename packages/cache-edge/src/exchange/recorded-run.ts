import type { Before, RecordedResponse, Final } from './recorded-response.js'
import type { RecordingMemory } from './recording.js'
import type { Judgement, Unstored, UnstoredReason } from './judge-response.js'

/**
 * How the recording of a response ended. `'aborted'`: the client disconnected, or the stream ended early. `unstored`: the response is too
 * large, of a kind that cannot be recorded, or may not be stored. `'replaced'`: an error, a hijacked reply or another response was sent, or
 * no memory was left; the stored response remains unchanged.
 */
export type Outcome = { readonly recorded: RecordedResponse; readonly final: Final } | { readonly unstored: Unstored } | 'aborted' | 'replaced'

/** The failure of a handler, with the error that it threw. */
export interface Failure { readonly error: unknown }

/** The limits of the recording of a response, and the callbacks of its handler run. */
export interface RunListener {
  readonly maxBytes: number
  readonly memory: RecordingMemory
  /**
   * Called with the status of the handler's response before it is sent. `'instead'`: another response was sent in its place. `'validated'`:
   * the response is the 304 to the validators of the stored response. `undefined`: the response is sent.
   * @param error the error that the handler sent as its response
   */
  intercept (status: number, error: Error | undefined): 'instead' | 'validated' | undefined
  /** Judges whether a response may be stored; called for a stream as soon as its head is written. */
  judge (recorded: RecordedResponse, final: Final): Judgement
  /** Called when the recorded response is a stream of unknown length. */
  onStream (): void
}

/** One handler run and the recording of its response. */
export interface RecordedRun {
  /** Resolves when the head is written and the body is complete, or no response will be stored. */
  readonly outcome: Promise<Outcome>
  /** The status of the response that the handler has sent; `0`: it has sent none. */
  readonly status: number
  /** The response headers that the handler has set so far. */
  readonly own: RecordedResponse['headers']
  /** The response headers that hooks had set before the handler ran. */
  readonly before: Before
  /**
   * The reason why the response will not be stored, as far as the headers that are set so far show; `undefined`: there is no reason, or
   * another response was sent.
   */
  readonly unstored: UnstoredReason | undefined

  /** Runs the handler. Never rejects: resolves with the failure of the handler; `undefined`: the handler did not fail. */
  start (): Promise<Failure | undefined>
  /** Returns the status with which Fastify would answer an error of the handler. */
  statusOf (error: unknown): number
  /** Reads the recorded stream ahead of its client, since other requests wait for the response. */
  hurry (): void
  /** Ends the view of the request: shows the parts again that were hidden from the handler. */
  showAll (): void
  /** Ends the recording of the response: another response is sent in place of the handler's. */
  takeOver (): void
  /** Ends the recording of the response, and removes the headers and the error of the handler, so that a different response can be sent. */
  undo (): void
  /** Drops each payload that the handler sends from now on, since another response is already being sent. */
  dropLate (): void
}
