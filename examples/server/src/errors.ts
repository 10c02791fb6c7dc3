import { STATUS_CODES } from 'node:http'
import createError from '@fastify/error'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

/** No row has the requested id. */
export const NotFound = createError<[what: string, id: number]>('APP_ERR_NOT_FOUND', 'There is no %s %d', 404)
/** No route matches the request. */
export const RouteNotFound = createError<[method: string, path: string]>('APP_ERR_ROUTE_NOT_FOUND', 'There is no route %s %s', 404)
/** The request does not name a user, and the route needs one. */
export const UserRequired = createError('APP_ERR_USER_REQUIRED', 'Say who you are: send the id of a user in the header x-user-id', 401)
/** The user is not allowed to do the requested action. */
export const Forbidden = createError<[userId: number, what: string]>('APP_ERR_FORBIDDEN', 'User %d may not %s', 403)
/** The state of the approval does not allow the requested action. */
export const TransitionIllegal = createError<[action: string, status: string]>('APP_ERR_TRANSITION_ILLEGAL',
  'Cannot %s an approval that is %s', 409)

/** The body of an error response. */
export interface PublicError { statusCode: number; code: string; error: string; message: string }

// The codes of class 22 of the SQL standard, "data exception": the client sent a value that no column can hold.
const DATA_EXCEPTION = /^22[0-9A-Z]{3}$/

/** Returns the part of an error that a client may see; for an error with a status of 500 or more, only the status. */
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

/** The error handler of the app, which sends all error responses. */
export function sendError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = toPublicError(error)
  if (answer.statusCode > 499) request.log.error({ err: error }, 'Request failed')
  reply.code(answer.statusCode).send(answer)
}

/** Answers a request that no route matches, in the form of the other error responses. */
export function sendRouteNotFound (request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0]!
  sendError(new RouteNotFound(request.method, path), request, reply)
}
