import { STATUS_CODES } from 'node:http'
import createError from '@fastify/error'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

/** Nothing has this id. */
export const NotFound = createError<[what: string, id: number]>('APP_ERR_NOT_FOUND', 'There is no %s %d', 404)
/** No route matches. */
export const RouteNotFound = createError<[method: string, path: string]>('APP_ERR_ROUTE_NOT_FOUND', 'There is no route %s %s', 404)
/** The request does not say who asks. */
export const UserRequired = createError('APP_ERR_USER_REQUIRED', 'Say who you are: send the id of a user in the header x-user-id', 401)
/** The user may not do this. */
export const Forbidden = createError<[userId: number, what: string]>('APP_ERR_FORBIDDEN', 'User %d may not %s', 403)
/** The approval is in a state that does not allow this. */
export const TransitionIllegal = createError<[action: string, status: string]>('APP_ERR_TRANSITION_ILLEGAL',
  'Cannot %s an approval that is %s', 409)

/** The body of an error response. */
export interface PublicError { statusCode: number; code: string; error: string; message: string }

// Class 22 of the SQL standard, "data exception": the client sent what no column can hold.
const DATA_EXCEPTION = /^22[0-9A-Z]{3}$/

/** The public side of an error: of 5xx nothing but the status. */
export function toPublicError (error: Partial<FastifyError>): PublicError {
  if (DATA_EXCEPTION.test(error.code ?? '')) {
    return { statusCode: 400, code: 'APP_ERR_INPUT', error: 'Bad Request', message: 'The database cannot hold this value' }
  }
  const { statusCode = 500 } = error
  const text = STATUS_CODES[statusCode] ?? 'Error'
  if (statusCode < 400 || statusCode > 499) {
    const hidden = statusCode > 499 ? statusCode : 500
    const name = STATUS_CODES[hidden] ?? 'Internal Server Error'
    return { statusCode: hidden, code: 'APP_ERR_INTERNAL', error: name, message: name }
  }
  return { statusCode, code: error.code ?? 'APP_ERR_REQUEST', error: text, message: error.message ?? text }
}

/** The one error handler of the app. */
export function sendError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = toPublicError(error)
  if (answer.statusCode > 499) request.log.error({ err: error }, 'Request failed')
  reply.code(answer.statusCode).send(answer)
}

/** Answers what no route matches in the form of every other error. */
export function sendRouteNotFound (request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0]!
  sendError(new RouteNotFound(request.method, path), request, reply)
}
