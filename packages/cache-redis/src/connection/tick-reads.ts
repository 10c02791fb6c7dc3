import type { Client } from './client.js'
import { isRefusal, isReply } from './redis-errors.js'
import { sendTogether } from './together.js'

/** The maximum number of values that one MGET reads. */
const MAX_VALUES = 64
/** The number of bytes that the values of one MGET should have in total, so that no MGET keeps Redis busy for long. */
const TARGET_BYTES = 65_536
/** The assumed size of a value in bytes, until values have been read. */
const FIRST_BYTES = 8192

/** The functions that settle the promise of a read. */
interface Waiting { readonly resolve: (bytes: Buffer | null) => void; readonly reject: (error: unknown) => void }

/**
 * Reads values over one Redis client. The first read of a tick is a GET; all further reads of the tick share MGETs, which takes half of
 * the processor time, here and in Redis. If Redis refuses MGET, each read is a GET from then on.
 */
export class TickReads {
  readonly #client: Client
  readonly #refused: (error: Error) => void
  #isRefused = false
  #hasRead = false
  #names: string[] = []
  #waiting: Waiting[] = []
  /** The average size in bytes of the values that were read last. */
  #typicalBytes = FIRST_BYTES

  /**
   * Makes the reads of a client.
   * @param client a client of a single server; in a Cluster an MGET reads keys of one slot only
   * @param refused called once with the error of Redis if Redis refuses MGET but not GET; must not throw
   */
  constructor (client: Client, refused: (error: Error) => void) {
    this.#client = client
    this.#refused = refused
  }

  /**
   * Returns the value of a Redis key; `null`: the key does not exist, or has another type and was read by MGET. Rejects with the error of the
   * server or the connection.
   */
  read (name: string): Promise<Buffer | null> {
    if (this.#hasRead && !this.#isRefused) {
      return new Promise((resolve, reject) => {
        this.#names.push(name)
        this.#waiting.push({ resolve, reject })
      })
    }
    if (!this.#hasRead) {
      this.#hasRead = true
      // Before `sendTogether`, which sends all commands of the tick at its end: the MGETs are to be among them.
      process.nextTick(endTick, this)
    }
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
    const atOnce = Math.max(1, Math.min(MAX_VALUES, Math.floor(TARGET_BYTES / this.#typicalBytes)))
    for (let at = 0; at < names.length; at += atOnce) this.#readTogether(names.slice(at, at + atOnce), waiting.slice(at, at + atOnce))
  }

  #readTogether (names: string[], waiting: readonly Waiting[]): void {
    this.#client.mgetBuffer(names).then((values) => {
      let bytes = 0
      for (const [at, value] of values.entries()) {
        bytes += value?.length ?? 0
        waiting[at]!.resolve(value)
      }
      this.#typicalBytes += (bytes / values.length - this.#typicalBytes) / 4
    }, (error: unknown) => {
      if (isReply(error)) this.#readEach(names, waiting, error)
      else for (const { reject } of waiting) reject(error)
    })
  }

  /** Reads values with a GET each after Redis has answered their MGET with an error. */
  #readEach (names: readonly string[], waiting: readonly Waiting[], error: Error): void {
    for (const [at, { resolve, reject }] of waiting.entries()) {
      this.#client.getBuffer(names[at]!).then((bytes) => {
        resolve(bytes)
        if (this.#isRefused || !isRefusal(error)) return
        this.#isRefused = true
        this.#refused(error)
      }, reject)
    }
  }
}

function endTick (reads: TickReads): void {
  reads.endTick()
}
