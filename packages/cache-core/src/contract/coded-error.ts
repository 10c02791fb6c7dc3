import createFastifyError from '@fastify/error'

/** The causes of errors. They are no properties of the errors, hidden or not, since loggers and `util.inspect` would print them. */
const causes = new WeakMap<object, unknown>()

/**
 * Returns the cause of an error of the suite; `undefined`: the error has no cause, or another package made it. A cause may contain stored
 * values, as the error of a serializer does: use it for debugging, not for logs.
 */
export function causeOf (error: unknown): unknown {
  return typeof error === 'object' && error !== null ? causes.get(error) : undefined
}

/** Sets the cause of an error that `causeOf` returns; returns the error. */
export function withCause<E extends Error> (error: E, cause: unknown): E {
  causes.set(error, cause)
  return error
}

type Why = { readonly cause?: unknown }

/**
 * `createError` of `@fastify/error`, with two differences: an error shows only its code and its message, and `causeOf` returns its cause.
 */
export const createError = ((...kind: Parameters<typeof createFastifyError>) => {
  const Coded = createFastifyError(...kind)
  const hasStack = kind[4] !== false
  const make = (args: unknown[], caller: (...args: any[]) => unknown): Error => {
    const why = args.at(-1) as Why | undefined
    const hasCause = typeof why === 'object' && why !== null && 'cause' in why
    const error = new Coded(...(hasCause ? args.slice(0, -1) : args) as [])
    // The stack trace begins at the code that made the error, with `new` or by a call of its class; the functions of this file are left
    // out.
    if (hasStack && Error.stackTraceLimit > 0) Error.captureStackTrace(error, caller)
    return hasCause ? withCause(error, why.cause) : error
  }
  const construct = (_of: object, args: unknown[]): Error => make(args, construct)
  const apply = (_of: object, _this: unknown, args: unknown[]): Error => make(args, apply)
  return new Proxy(Coded, { construct, apply })
}) as typeof createFastifyError
