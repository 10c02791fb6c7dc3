import type { Core } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { StoredRoute } from '../exchange/cache-request.js'
import { Notices } from '../lib/notices.js'
import type { PersonalRequests } from './personal-requests.js'
import type { ReadyHits } from './ready-hits.js'
import { RequestKeys } from './request-key.js'
import type { StoredResponses } from './serve.js'

/** The functions and objects of an app that all its requests to stored routes share. */
export class CacheRequests {
  readonly fastify: FastifyInstance
  readonly core: Core
  readonly keys: RequestKeys
  readonly responses: StoredResponses
  readonly personal: PersonalRequests
  readonly ready: ReadyHits
  /** Whether the tags of a policy are also cache groups. */
  readonly tagsAreGroups: boolean
  readonly #notices = new Notices()

  constructor (fastify: FastifyInstance, core: Core, { personal, responses, ready, app, cacheGroups }: {
    readonly personal: PersonalRequests;
    readonly responses: StoredResponses;
    readonly ready: ReadyHits
    readonly app: string | undefined;
    readonly cacheGroups: boolean
  }) {
    this.fastify = fastify
    this.core = core
    this.keys = new RequestKeys(app)
    this.responses = responses
    this.personal = personal
    this.ready = ready
    this.tagsAreGroups = cacheGroups
  }

  /** Records that the handler read a part that identifies the client or the request, so that the response is for this client alone. */
  noteIdentity ({ request, route }: { readonly request: FastifyRequest; readonly route: Pick<StoredRoute, 'pattern'> }, part: string): void {
    this.personal.mark(request)
    this.#notices.warnOnce(request.log, route.pattern, { route: route.pattern, part }, `Cache: the handler of this route reads ${part}, which is in no key; such responses are private and not stored. Read it in a hook, or say sameForAll if it makes no difference to the response`)
  }
}
