import type { FastifyInstance } from 'fastify'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { RequestListener } from 'node:http'
import type { EarlyAnswers } from './early-answers.js'

/** The type of the constraint strategies in the options of Fastify. */
export type Strategies = Readonly<Record<string, { readonly name: string }>>

/** The channel at which Fastify announces each new app, before the code of the app can change it. */
const CREATED = 'fastify.initialization'

// The symbol is in the global symbol registry (`Symbol.for`), since an app may load two copies of this module.
const kSeam = Symbol.for('@x/cache-edge.early-seam')
type SeamServer = { [kSeam]?: Seam }

/** The place in front of the routing of one app (a seam), where early answers are sent. */
export class Seam {
  /** The request listener of the server: it sends an early answer if there is one, and otherwise calls the listener of Fastify. */
  readonly listener: RequestListener
  /** The names of the constraint strategies that the app itself added; `undefined`: the app has not been created yet. */
  strategies: ReadonlySet<string> | undefined
  #answers: EarlyAnswers | undefined
  #isClosing = false

  constructor (routing: RequestListener) {
    this.listener = (request, response) => {
      if (this.#isClosing || this.#answers?.answer(request, response) !== true) routing(request, response)
    }
  }

  /** The seam of an app; `undefined`: its server does not come from `earlyServer`, or its creation was not announced. */
  static of ({ server }: FastifyInstance): Seam | undefined {
    const seam = (server as SeamServer)[kSeam]
    return seam?.strategies === undefined ? undefined : seam
  }

  /**
   * Waits for the app that is being created with this server.
   * @param given the constraint strategies in the options of the app
   */
  expectApp (server: SeamServer, given: Strategies): void {
    server[kSeam] = this
    const noteApp = (message: unknown): void => {
      // The announced app may be another one: no announcement is made for an app that could not be created.
      unsubscribe(CREATED, noteApp)
      const { fastify } = message as { fastify: FastifyInstance }
      if (fastify.server as object === server) this.#watch(fastify, given)
    }
    subscribe(CREATED, noteApp)
  }

  /** Begins to send early answers; called when all routes of the app are known. */
  open (answers: EarlyAnswers): void {
    this.#answers = answers
  }

  #watch (fastify: FastifyInstance, given: Strategies): void {
    const strategies = new Set(Object.values(given).map(({ name }) => name))
    this.strategies = strategies
    const { addConstraintStrategy } = fastify
    // The method of the app is replaced to learn the names of strategies: Fastify only reports whether it has a strategy of a given name.
    fastify.addConstraintStrategy = function (strategy) {
      addConstraintStrategy.call(this, strategy)
      strategies.add(strategy.name)
    }
    // The hook is the first one of the app, so that no other hook delays it. As soon as an app closes, Fastify answers requests with 503,
    // and so no early answer may be sent.
    fastify.addHook('preClose', (done) => {
      this.#isClosing = true
      done()
    })
  }
}
