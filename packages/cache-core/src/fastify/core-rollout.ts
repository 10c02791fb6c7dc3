import type { FastifyInstance, FastifyReply } from 'fastify'
import type { CacheClient } from '../client/client.js'
import { OptionInvalid } from '../contract/errors.js'
import type { Log } from '../lib/harmless.js'
import { Canary } from '../rollout/canary.js'
import { planOf, type RolloutWithCanary } from '../rollout/canary-options.js'
import { processCounts } from '../rollout/process-counts.js'
import type { RolloutStore } from '../rollout/rollout-store.js'
import { warmStage } from '../rollout/warm-stage.js'
import type { CacheCoreOptions } from './options.js'
import type { RequestMeasurements } from './measured-requests.js'
import type { RequestCaches } from './request-cache.js'
import { addRolloutRoutes, ROLLOUT_PATH } from './rollout-routes.js'
import type { InternalAccess } from './status-route.js'

/** The members of option `rollout` that a canary controls for all apps of its registry. */
const CANARY_DECIDES = ['percent', 'allow', 'salt', 'holdOut', 'canary'] as const

/** The functions and objects of the core that the rollout of an app uses. */
export interface RolloutParts {
  readonly fastify: FastifyInstance
  readonly client: CacheClient
  readonly requests: RequestCaches
  readonly measurements: RequestMeasurements
  readonly log: Log
  readonly access: () => InternalAccess
  readonly warmOptions: () => CacheCoreOptions['warm']
}

/** The canary of one Fastify instance, with its hooks and routes; without option `canary` none of them is added. */
export class CoreRollout {
  readonly #parts: RolloutParts
  #canary: Canary | undefined
  #store: RolloutStore | undefined
  #hasHooks = false

  constructor (parts: RolloutParts) {
    this.#parts = parts
  }

  /**
   * Refuses rollout options of an app whose registry has the canary of another app: they would change the percent and the subjects that
   * this canary compares.
   * @throws `CACHE_ERR_OPTION_INVALID`
   */
  refuseBesideOther (rollout: RolloutWithCanary = {}): void {
    if (this.#canary !== undefined || this.#parts.client.registry.canaryStatus === undefined) return
    const name = CANARY_DECIDES.find((each) => rollout[each] !== undefined && rollout[each] !== false)
    if (name !== undefined) throw new OptionInvalid(`rollout.${name}`, 'an option beside the canary of another app with this registry', `none of ${CANARY_DECIDES.join(', ')}: a registry has one canary, which decides for all of its apps`)
  }

  /**
   * Applies option `rollout` to the registry. The core and a sibling package may each give it once, one after the other.
   * @throws `CACHE_ERR_OPTION_INVALID` for stages and criteria that contradict one another
   */
  configure (rollout: RolloutWithCanary): void {
    const { registry } = this.#parts.client
    const { allow, salt, holdOut } = registry.rollout
    const plan = planOf({ allow, salt, ...holdOut === 0 ? {} : { holdOut }, ...rollout })
    if (plan === undefined || plan.hash === this.#canary?.plan.hash) return
    this.#canary = new Canary(plan, {
      rollout: registry.rollout,
      clock: () => registry.clock,
      log: this.#parts.log,
      isServing: () => !registry.active.passThrough,
      totals: () => processCounts(registry.stats),
      warm: () => this.#warm()
    })
    registry.canaryStatus = () => this.#canary!.status()
    if (this.#store !== undefined) this.#canary.share(this.#store)
    this.#addHooks()
  }

  /** Gives the canary the rollout store that the processes of the app share. */
  share (store: RolloutStore): void {
    this.#store = store
    this.#canary?.share(store)
  }

  /** The paths of the rollout's own endpoints, as text for the log line about internal endpoints. */
  get paths (): string {
    return this.#canary === undefined ? '' : `, and POST ${ROLLOUT_PATH}`
  }

  /**
   * The cache client that loads the warm items. With a canary and a percent above 0 every item is stored, whatever the bucket of its key
   * is, since requests of the cached arm read all keys.
   */
  get warmingClient (): CacheClient {
    const { client } = this.#parts
    return this.#canary === undefined || client.registry.rollout.limit === 0 ? client : client.withArm('cached')
  }

  async start (): Promise<void> {
    await this.#canary?.start()
  }

  async close (): Promise<void> {
    if (this.#canary === undefined) return
    await this.#canary.close()
    const { registry } = this.#parts.client
    registry.canaryStatus = undefined
    registry.rollout.isMeasured = false
  }

  #addHooks (): void {
    if (this.#hasHooks) return
    this.#hasHooks = true
    const { fastify, measurements, client, access } = this.#parts
    measurements.of(fastify).listen({
      answered: (reply, milliseconds) => this.#count(reply, milliseconds, reply.statusCode >= 500),
      unanswered: (reply, milliseconds, hasFailed) => this.#count(reply, milliseconds, hasFailed)
    })
    addRolloutRoutes(fastify, () => this.#canary!, access, (pattern) => client.registry.stats.patterns.has(pattern))
  }

  /** Counts a request for the canary if it used `request.cache`: the same rule for both arms makes their counts comparable. */
  #count ({ request }: FastifyReply, milliseconds: number | undefined, hasFailed: boolean): void {
    const bucket = this.#parts.requests.bucketOf(request)
    if (bucket !== undefined && milliseconds !== undefined) this.#canary!.recorder.addRequest(bucket, milliseconds, hasFailed)
  }

  #warm (): Promise<void> {
    const { client, warmOptions, log } = this.#parts
    const warm = warmOptions()
    if (warm === undefined) return Promise.resolve()
    return warmStage(client.withArm('cached').warm(warm.items, { concurrency: warm.concurrency }), log)
  }
}
