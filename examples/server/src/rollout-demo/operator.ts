import type { CanaryView } from '@x/cache-core'
import type { Report } from '@x/cache-metrics'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 200

/** A change of the rollout, from the history of `GET /internal/cache/rollout`. */
export type Decision = CanaryView['history'][number]

/** Thrown if the demo cannot continue: an endpoint gave an unexpected response, or a decision of the canary did not come in time. */
export class DemoStopped extends Error {}

/** A simulated operator, who uses the app's endpoints and is notified once of each decision of the canary. */
export class Operator {
  readonly decisions: Decision[] = []
  readonly #app: FastifyInstance
  readonly #limitMs: number
  readonly #seen: (decision: Decision) => void

  /**
   * Makes an operator.
   * @param limitMs milliseconds after which a wait ends the demo
   * @param seen called with each new decision, in order
   */
  constructor (app: FastifyInstance, limitMs: number, seen: (decision: Decision) => void) {
    this.#app = app
    this.#limitMs = limitMs
    this.#seen = seen
  }

  /** Requests `GET /internal/cache/rollout`. */
  async rollout (): Promise<CanaryView> {
    return this.#note(await this.#ask<CanaryView>({ url: '/internal/cache/rollout' }))
  }

  /** Requests `POST /internal/cache/rollout`. */
  async act (action: { action: string; percent?: number }): Promise<CanaryView> {
    return this.#note(await this.#ask<CanaryView>({ method: 'POST', url: '/internal/cache/rollout', payload: action }))
  }

  /** Requests `GET /internal/cache/advice`. */
  async advice (): Promise<Report> {
    return this.#ask<Report>({ url: '/internal/cache/advice', headers: { accept: 'application/json' } })
  }

  /** Returns the field `stock` of a record, as the app sends it to a user. */
  async stockFor (userId: number, recordId: number): Promise<unknown> {
    const row = await this.#ask<{ fields: { stock: unknown } }>({ url: `/api/records/${recordId}`, headers: { 'x-user-id': String(userId) } })
    return row.fields.stock
  }

  /**
   * Repeats a request until its result meets a condition.
   * @param what the description of the awaited result, for the error message
   */
  async until<T> (what: string, ask: () => Promise<T>, isAwaited: (answer: T) => boolean): Promise<T> {
    const end = performance.now() + this.#limitMs
    for (;;) {
      const answer = await ask()
      if (isAwaited(answer)) return answer
      if (performance.now() > end) {
        const { verdict, reason } = await this.rollout()
        throw new DemoStopped(`waited ${this.#limitMs / 1000} s for this: ${what}. The canary says ${verdict}: ${reason}`)
      }
      await sleep(LOOK_EVERY_MS)
    }
  }

  #note (view: CanaryView): CanaryView {
    // The history has the newest record first and at most 100 records; a demo has fewer.
    const fresh = view.history.slice(0, view.history.length - this.decisions.length).reverse()
    for (const decision of fresh) {
      this.decisions.push(decision)
      this.#seen(decision)
    }
    return view
  }

  async #ask<T> (request: InjectOptions & { url: string }): Promise<T> {
    const response = await this.#app.inject(request)
    if (response.statusCode !== 200) throw new DemoStopped(`${request.method ?? 'GET'} ${request.url} gave ${response.statusCode}: ${response.body}`)
    return response.json<T>()
  }
}
