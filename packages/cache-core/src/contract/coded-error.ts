import createFastifyError from '@fastify/error'

/** Causes by their errors: a property of the error, hidden or not, would be printed by loggers and `util.inspect`. */
const causes = new WeakMap<object, unknown>()

/**
 * The cause of an error of the suite; `undefined`: it has none, or the error is not the suite's. A cause may contain stored values, as the
 * error of a serializer does: for debugging, not for logs.
 */
export function causeOf (error: unknown): unknown {
  return typeof error === 'object' && error !== null ? causes.get(error) : undefined
}

/** Sets the cause that `causeOf` returns; returns the error. */
export function withCause<E extends Error> (error: E, cause: unknown): E {
  causes.set(error, cause)
  return error
}

type Why = { readonly cause?: unknown }

/** `createError` of `@fastify/error`, whose errors show their code and their message alone; `causeOf` returns their cause. */
export const createError = ((...kind: Parameters<typeof createFastifyError>) => {
  const Coded = createFastifyError(...kind)
  const hasStack = kind[4] !== false
  const make = (args: unknown[], caller: (...args: any[]) => unknown): Error => {
    const why = args.at(-1) as Why | undefined
    const hasCause = typeof why === 'object' && why !== null && 'cause' in why
    const error = new Coded(...(hasCause ? args.slice(0, -1) : args) as [])
    // The stack begins with the line that made the error.
    if (hasStack && Error.stackTraceLimit > 0) Error.captureStackTrace(error, caller)
    return hasCause ? withCause(error, why.cause) : error
  }
  const construct = (_of: object, args: unknown[]): Error => make(args, construct)
  const apply = (_of: object, _this: unknown, args: unknown[]): Error => make(args, apply)
  return new Proxy(Coded, { construct, apply })
}) as typeof createFastifyError
