import type { Policy } from './policy.js'

/** The rule of a route: its policy, or `personal`, which takes precedence over every policy. `undefined`: the route has no rule. */
export type RouteRule = Policy | 'personal' | undefined
