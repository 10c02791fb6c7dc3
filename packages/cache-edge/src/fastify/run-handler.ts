import type { FastifyReply } from 'fastify'
import type { Pending } from './handler-view.js'
import { discard } from './payload.js'

const WILL_SEND = Symbol('will send')

/** Runs a route's handler as Fastify does: what it returns is sent. Rejects as the handler. */
export async function runHandler (run: () => unknown, reply: FastifyReply, pending: Pending): Promise<void> {
  const returned = run()
  if (returned === reply || (returned === undefined && !reply.sent)) return
  const payload = isThenable(returned) ? await settled(returned, reply) : returned
  // Hijacked: whatever is written now passes by here.
  if (reply.sent && pending.isOpen) pending.takeOver()
  else if (payload !== WILL_SEND && pending.isOpen) reply.send(payload)
  // It comes too late, and nobody will read it.
  else discard(payload)
}

/** A promise that is never fulfilled: Fastify is to wait for the answer that is sent, and to hear of a failure. */
export function failing (pending: Promise<unknown>): Promise<never> {
  return new Promise((_resolve, reject) => { pending.catch(reject) })
}

/** The status with which Fastify answers an error: one that the handler set beats that of the error. */
export function statusOf (error: unknown, reply: FastifyReply): number {
  const { statusCode, status } = (error ?? {}) as { statusCode?: unknown; status?: unknown }
  const answered = Number(reply.statusCode === 200 ? statusCode ?? status : reply.statusCode)
  return answered >= 400 && answered < 600 ? answered : 500
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** The value of a promise or of what resembles one. The reply is awaited by nobody: it has a `then` that waits for its own end. */
function settled (pending: PromiseLike<unknown>, reply: FastifyReply): Promise<unknown> {
  return new Promise((resolve, reject) => { pending.then((value) => resolve(value === reply ? WILL_SEND : value), reject) })
}
