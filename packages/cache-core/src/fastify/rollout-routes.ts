import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { RolloutActionInvalid, RolloutForeign } from '../contract/errors.js'
import type { Canary } from '../rollout/canary.js'
import { isFromForeignOrigin } from './console/foreign-origin.js'
import { guardInternal, STATUS_PATH, type InternalAccess } from './status-route.js'

/** The path of the endpoint that shows and controls the rollout. */
export const ROLLOUT_PATH = `${STATUS_PATH}/rollout`

/**
 * Adds `GET` and `POST /internal/cache/rollout`: the status with the history, and the actions of an operator. Both respond with the 404 of
 * an unknown route where the internal endpoints are closed.
 * @param isSeen whether a key of a pattern was used in this process; if not, the pattern may be misspelt, and the response has a note
 */
export function addRolloutRoutes (
  fastify: FastifyInstance, canary: () => Canary, access: () => InternalAccess, isSeen: (pattern: string) => boolean
): void {
  const guard = guardInternal(access)
  const options = { onRequest: guard, schema: { hide: true } as object }
  fastify.get(ROLLOUT_PATH, options, async function showRollout (_request, reply) {
    reply.header('cache-control', 'no-store')
    return canary().view()
  })
  fastify.post(ROLLOUT_PATH, { ...options, onRequest: [guard, refuseForeign] }, async function changeRollout (request, reply) {
    reply.header('cache-control', 'no-store')
    try {
      refuseForms(request)
      const { pattern } = (request.body ?? {}) as { pattern?: unknown }
      const isUnknown = typeof pattern === 'string' && !isSeen(pattern)
      const view = await canary().act(request.body)
      return isUnknown ? { ...view, note: [`no key of the pattern ${pattern} was used in this process`, ...view.note === undefined ? [] : [view.note]].join('; ') } : view
    } catch (error) {
      return refuse(reply, error as FastifyError)
    }
  })
}

/**
 * Refuses an action from the page of another origin (cross-site request forgery): the app's guard may accept a cookie or a password that
 * the browser sends by itself.
 */
const refuseForeign: onRequestHookHandler = function refuseForeign (request, reply, done) {
  if (!isFromForeignOrigin(request)) return done()
  void refuse(reply.header('cache-control', 'no-store'), new RolloutForeign())
}

/**
 * Throws for a body that is no JSON, such as that of a form: any page may send a form without a preflight request (CORS), and the app may
 * have a parser for forms.
 * @throws `CACHE_ERR_ROLLOUT_ACTION`
 */
function refuseForms ({ headers: { 'content-type': type } }: FastifyRequest): void {
  if (type !== undefined && !/^\s*application\/json\s*(?:;|$)/i.test(type)) throw new RolloutActionInvalid('a body that is no JSON', 'the content type application/json')
}

/**
 * Sends a coded error as the response without the app's error handler, which could change the form of the error that `cache-advisor`
 * reads.
 */
function refuse (reply: FastifyReply, error: FastifyError): FastifyReply {
  const { code, message, statusCode } = error
  if (statusCode === undefined || typeof code !== 'string' || !code.startsWith('CACHE_ERR_')) throw error
  return reply.code(statusCode).send({ statusCode, code, error: error.name, message })
}
