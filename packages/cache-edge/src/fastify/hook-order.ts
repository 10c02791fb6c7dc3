import type { FastifyRequest, onSendHookHandler, RouteOptions } from 'fastify'
import { accessOnSend, boundName, contextOf, isHeadHook } from './patches.js'

/** The onSend hooks that this plugin adds to one route. */
export interface Surrounding {
  /** The hook that runs after the hooks of the instance, before all other hooks of the route. */
  readonly first: onSendHookHandler
  /** The hook that runs between each two hooks of the route, and before Fastify removes the body of a HEAD response. */
  readonly between: onSendHookHandler
  /** The hook that runs after all other hooks of the route. */
  readonly last: onSendHookHandler
  /** The hook that replaces the other three hooks on a route without hooks of its own, since each call of a hook takes time. */
  readonly only: onSendHookHandler
}

/**
 * The function names by which the hooks are recognised on a response. The names are set explicitly, since a bundler may rename functions.
 */
const NAMES: Readonly<Record<keyof Surrounding, string>> = { first: 'tagBody', between: 'tagBetween', last: 'finishRoute', only: 'finishAlone' }

/**
 * Puts hooks around those of a route, and around those that onRoute hooks of later plugins add. The body of a HEAD is dropped after the
 * last of them, so that its fields are those of the GET (RFC 9110 §9.3.2).
 *
 * A later plugin may replace the route's hooks by functions that call them, as `@fastify/otel` does, and hooks within such functions are
 * not found among the others. `make` is therefore called again after each assignment. Hooks from an earlier call of `make` must do nothing;
 * their `isCurrent` returns `false`.
 */
export function surround (route: RouteOptions, make: (isCurrent: () => boolean) => Surrounding): void {
  const own = new WeakSet<onSendHookHandler>()
  let hooks: onSendHookHandler[] = []
  let current: Surrounding
  const renew = (): void => {
    const made: Surrounding = make(() => made === current)
    for (const role of Object.keys(NAMES) as (keyof Surrounding)[]) {
      Object.defineProperty(made[role], 'name', { value: NAMES[role] })
      own.add(made[role])
    }
    current = made
  }
  const arrange = (): onSendHookHandler[] => {
    const { first, between, last, only } = current
    const others = hooks.filter((hook) => !own.has(hook))
    const head = others.filter(isHeadHook)
    const end = head.length === 0 ? [last] : [between, ...head, last]
    const changing = others.filter((hook) => !head.includes(hook)).flatMap((hook, at) => at === 0 ? [hook] : [between, hook])
    hooks.splice(0, hooks.length, ...others.length === 0 ? [only] : [first, ...changing, ...end])
    return hooks
  }
  const replace = (value: RouteOptions['onSend']): void => {
    hooks = value === undefined ? [] : [value as onSendHookHandler | onSendHookHandler[]].flat()
    renew()
  }
  replace(route.onSend)
  // A setter and a getter of the route's `onSend` place hooks that are added later between the first hook and the last hook.
  accessOnSend(route, arrange, replace)
}

/** Whether the hook with this name is the last onSend hook of the route; `false` also means unknown. */
export function isLastHook (request: FastifyRequest, name: string): boolean {
  return contextOf(request)?.onSend?.at(-1)?.name === boundName(name)
}

/** onSend hooks of the suite, which leave the body of a response unchanged. */
const LEAVE_BODIES = new Set([...Object.values(NAMES), 'finishAnswer', 'measureRequest'].map(boundName))
const changeBodies = new WeakMap<object, boolean>()

/** Whether an onSend hook of the app or of another plugin may change the body that a handler sends; `true` also means unknown. */
export function mayChangeBody (request: FastifyRequest): boolean {
  const context = contextOf(request)
  if (context === undefined) return true
  let may = changeBodies.get(context)
  if (may === undefined) {
    may = !(context.onSend ?? []).every(({ name }) => LEAVE_BODIES.has(name))
    changeBodies.set(context, may)
  }
  return may
}
