import type { FastifyRequest, onSendHookHandler, RouteOptions } from 'fastify'

/** The hook with which Fastify takes the body away from the answer of a HEAD route that it made itself. */
const HEAD_HOOK = 'headRouteOnSendHandler'

/** onSend hooks of this plugin for one route. */
export interface Surrounding {
  /** Runs behind the hooks of the instance, in front of all others of the route. */
  readonly first: onSendHookHandler
  /** Runs between two hooks of the route, and before the body of a HEAD is taken away. */
  readonly between: onSendHookHandler
  readonly last: onSendHookHandler
}

/**
 * Puts hooks around those of a route, also around those that the onRoute hooks of later plugins add. A HEAD keeps its body
 * until all of them have seen it, so that its fields are those of the GET (RFC 9110 §9.3.2).
 */
export function surround (route: RouteOptions, { first, between, last }: Surrounding): void {
  const own = new Set([first, between, last])
  let hooks: onSendHookHandler[] = []
  const arrange = (): onSendHookHandler[] => {
    const others = hooks.filter((hook) => !own.has(hook))
    const head = others.filter(({ name }) => name === HEAD_HOOK)
    const end = head.length === 0 ? [last] : [between, ...head, last]
    const changing = others.filter((hook) => !head.includes(hook)).flatMap((hook, at) => at === 0 ? [hook] : [between, hook])
    hooks.splice(0, hooks.length, first, ...changing, ...end)
    return hooks
  }
  const replace = (value: RouteOptions['onSend']): void => { hooks = value === undefined ? [] : [value as onSendHookHandler | onSendHookHandler[]].flat() }
  replace(route.onSend)
  // Fastify reads it once all plugins have loaded; until then, whoever pushes to it or replaces it comes in between.
  Object.defineProperty(route, 'onSend', { get: arrange, set: replace, enumerable: true, configurable: true })
}

/**
 * Whether no onSend hook of the route follows the one of this name. Fastify keeps them under a symbol of its own, and offers no
 * way to ask: `false` also stands for unknown.
 */
export function isLastHook (request: FastifyRequest, name: string): boolean {
  const slot = Object.getOwnPropertySymbols(request).find(({ description }) => description === 'fastify.context')
  const context = slot === undefined ? undefined : (request as unknown as Record<symbol, { onSend?: Array<{ name: string }> | null } | undefined>)[slot]
  return context?.onSend?.at(-1)?.name === `bound ${name}`
}
