import type { FastifyReply } from 'fastify'
import type { Pending } from './handler-view.js'
import { discard } from './payload.js'

const WILL_SEND = Symbol('will send')

/** Runs a route's handler as Fastify does, and sends the payload that it returns. Rejects with the error of the handler. */
export async function runHandler (run: () => unknown, reply: FastifyReply, pending: Pending): Promise<void> {
  const returned = run()
  if (returned === reply || (returned === undefined && !reply.sent)) return
  const payload = isThenable(returned) ? await settled(returned, reply) : returned
  // If the handler has hijacked the reply, it writes the response itself, so that nothing can be recorded.
  if (reply.sent && pending.isOpen) pending.takeOver()
  else if (payload !== WILL_SEND && pending.isOpen) reply.send(payload)
  // Another response was sent, so the payload is not needed, and its resources are freed.
  else discard(payload)
}

/**
 * Returns a promise that is never fulfilled, and rejects with the error of `pending`. Fastify then waits for the response that is sent
 * separately, and handles a failure of `pending`.
 */
export function failing (pending: Promise<unknown>): Promise<never> {
  return new Promise((_resolve, reject) => { pending.catch(reject) })
}

/** The status with which Fastify answers an error: a status that the handler set takes precedence over that of the error. */
export function statusOf (error: unknown, reply: FastifyReply): number {
  const { statusCode, status } = (error ?? {}) as { statusCode?: unknown; status?: unknown }
  const answered = Number(reply.statusCode === 200 ? statusCode ?? status : reply.statusCode)
  return answered >= 400 && answered < 600 ? answered : 500
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/**
 * Returns a promise of a thenable's value. If the thenable is the reply, it is not awaited, since `reply.then` waits for the end of the
 * response.
 */
function settled (pending: PromiseLike<unknown>, reply: FastifyReply): Promise<unknown> {
  return new Promise((resolve, reject) => { pending.then((value) => resolve(value === reply ? WILL_SEND : value), reject) })
}
