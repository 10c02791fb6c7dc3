import type { FastifyInstance } from 'fastify'
import { zipfTrace } from '../replay/zipf.js'
import type { SimulatedTime } from './simulated-time.js'

const USERS = 2000
const RECORDS = 300
/** One request in this number of requests is a write. It changes a rarely read record, as most writes of an app do. */
const WRITE_EVERY = 300
const WRITTEN_RECORDS = 100

/**
 * Simulated users who read and write records. The sequence of users and records is the same in every run; some are much more popular than
 * others.
 */
export class Traffic {
  sent = 0
  /** The number of responses with a status of 500 or more. */
  failed = 0
  readonly #app: FastifyInstance
  readonly #time: SimulatedTime
  readonly #perMs: number
  readonly #users = zipfTrace({ length: Infinity, ids: USERS, skew: 0.3, seed: 14 })
  readonly #records = zipfTrace({ length: Infinity, ids: RECORDS, skew: 0.9, seed: 41 })
  readonly #inFlight = new Set<Promise<void>>()
  #due = 0
  #isStopped = false
  #running: Promise<void> | undefined

  /**
   * Makes the users.
   * @param perMs requests per simulated millisecond
   */
  constructor (app: FastifyInstance, time: SimulatedTime, perMs: number) {
    this.#app = app
    this.#time = time
    this.#perMs = perMs
  }

  /** Starts to send requests and to advance the simulated time. */
  start (): void {
    this.#running = this.#run()
  }

  /** Stops sending requests, and waits for the pending responses. */
  async stop (): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run (): Promise<void> {
    while (!this.#isStopped || this.#inFlight.size > 0) {
      if (!this.#isStopped) for (this.#due += this.#perMs; this.#due >= 1; this.#due--) this.#send()
      await this.#time.next()
    }
  }

  #send (): void {
    const request = this.#request().finally(() => { this.#inFlight.delete(request) })
    this.#inFlight.add(request)
  }

  async #request (): Promise<void> {
    const headers = { 'x-user-id': String(Number(this.#users.next().value) + 1) }
    const count = this.sent++
    const write = Math.floor(count / WRITE_EVERY)
    const { statusCode } = count % WRITE_EVERY === WRITE_EVERY - 1
      ? await this.#app.inject({ method: 'PATCH', url: `/api/records/${RECORDS - 1 - write % WRITTEN_RECORDS}`, headers, payload: { fields: { stock: count } } })
      : await this.#app.inject({ url: `/api/records/${this.#records.next().value}`, headers })
    if (statusCode >= 500) this.failed++
  }
}
