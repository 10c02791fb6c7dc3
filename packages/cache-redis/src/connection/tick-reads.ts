import type { Client } from './client.js'
import { isOfServer, isRefusal, isReply } from './redis-errors.js'
import { sendTogether } from './send-together.js'

/** The maximum number of values that one MGET reads. */
const MAX_VALUES = 64
/** The number of bytes that the values of one MGET should have in total, so that no MGET keeps Redis busy for long. */
const TARGET_BYTES = 65_536
/** The assumed size of a value in bytes, until values have been read. */
const FIRST_BYTES = 8192
/** The maximum number of values that one MGET reads after an MGET has failed without an answer. */
const MAX_AFTER_FAILURE = 8
/** Milliseconds after a refusal in which no MGET is sent. */
const PAUSE_MS = 60_000

/** The functions that settle the promise of a read. */
interface Waiting { readonly resolve: (bytes: Buffer | null) => void; readonly reject: (error: unknown) => void }

/**
 * Reads values over one Redis client. The first read of a tick is a GET; all further reads of the tick share MGETs, since most of a
 * command's processor time does not depend on how many values it reads. While Redis refuses MGET, each read is a GET.
 */
export class TickReads {
  readonly #client: Client
  readonly #refused: (error: Error) => void
  readonly #now: () => number
  /** The time in milliseconds before which no MGET is sent. */
  #pausedUntil = -Infinity
  #hasRead = false
  #names: string[] = []
  #waiting: Waiting[] = []
  /** The moving average of the sizes in bytes of the values that were read; each MGET has a weight of a quarter. */
  #typicalBytes = FIRST_BYTES
  /** The maximum number of values of an MGET at this time: each failure without an answer halves it, each answer doubles it. */
  #maxValues = MAX_VALUES

  /**
   * Makes the reads of a client.
   * @param client a client of a single server; in a Cluster an MGET reads keys of one slot only
   * @param refused called with the error of Redis each time that Redis refuses MGET but answers a GET; must not throw
   * @param now returns a time in milliseconds that only increases
   */
  constructor (client: Client, refused: (error: Error) => void, now: () => number) {
    this.#client = client
    this.#refused = refused
    this.#now = now
  }

  /**
   * Returns the value of a Redis key; `null`: the key does not exist, or has another type and was read by MGET. Rejects with the error of the
   * server or the connection; a GET of a key of another type rejects with WRONGTYPE.
   */
  read (name: string): Promise<Buffer | null> {
    if (this.#hasRead) {
      return new Promise((resolve, reject) => {
        this.#names.push(name)
        this.#waiting.push({ resolve, reject })
      })
    }
    this.#hasRead = true
    process.nextTick(endTick, this)
    sendTogether(this.#client)
    return this.#client.getBuffer(name)
  }

  /** Sends the collected reads. */
  endTick (): void {
    this.#hasRead = false
    if (this.#names.length === 0) return
    const [names, waiting] = [this.#names, this.#waiting]
    this.#names = []
    this.#waiting = []
    sendTogether(this.#client)
    if (this.#pausedUntil > this.#now()) {
      this.#readEach(names, waiting)
      return
    }
    const atOnce = Math.max(1, Math.min(this.#maxValues, Math.floor(TARGET_BYTES / this.#typicalBytes)))
    for (let at = 0; at < names.length; at += atOnce) this.#readTogether(names.slice(at, at + atOnce), waiting.slice(at, at + atOnce))
  }

  #readTogether (names: string[], waiting: readonly Waiting[]): void {
    this.#client.mgetBuffer(names).then((values: unknown) => {
      // An app's own client, or a proxy, may answer something else: within MULTI the answer is "QUEUED".
      if (Array.isArray(values) && values.length === names.length) this.#settle(values, waiting)
      else this.#readEach(names, waiting)
    }, (error: unknown) => {
      if (isReply(error) && !isOfServer(error)) {
        this.#readEach(names, waiting, error)
        return
      }
      // The answer may have been too large for the time limit, so the next MGETs read fewer values. This limit is no part of the moving
      // average, which only answers with values would bring back: a server that is paused fails thousands of times.
      if (!isReply(error)) this.#maxValues = Math.max(1, Math.min(MAX_AFTER_FAILURE, Math.floor(this.#maxValues / 2)))
      for (const { reject } of waiting) reject(error)
    })
  }

  /** Settles reads with the values of an MGET. A proxy may have put an error in place of a single value. */
  #settle (values: readonly (Buffer | Error | null)[], waiting: readonly Waiting[]): void {
    this.#maxValues = Math.min(MAX_VALUES, this.#maxValues * 2)
    let [bytes, found] = [0, 0]
    for (const [at, { resolve, reject }] of waiting.entries()) {
      const value = values[at]!
      if (value instanceof Error) {
        reject(value)
        continue
      }
      resolve(value)
      // A client of the app's own may also give a value without a length, which must not make the average NaN.
      if (!Buffer.isBuffer(value)) continue
      bytes += value.length
      found++
    }
    if (found > 0) this.#typicalBytes += (bytes / found - this.#typicalBytes) / 4
  }

  /** Reads values with a GET each; `error` is the reply with which Redis has refused their MGET. */
  #readEach (names: readonly string[], waiting: readonly Waiting[], error?: Error): void {
    for (const [at, { resolve, reject }] of waiting.entries()) {
      this.#client.getBuffer(names[at]!).then((bytes) => {
        resolve(bytes)
        if (isRefusal(error) && this.#pausedUntil <= this.#now()) {
          this.#pausedUntil = this.#now() + PAUSE_MS
          this.#refused(error)
        }
      }, reject)
    }
  }
}

function endTick (reads: TickReads): void {
  reads.endTick()
}
