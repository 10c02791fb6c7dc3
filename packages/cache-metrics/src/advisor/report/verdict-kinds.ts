/** The kinds of a verdict on a key pattern or route, best first. */
export const ADVICE_KINDS = ['good', 'poor', 'changes when stored', 'unsafe', 'not enough data'] as const

/** The verdict on whether a key pattern or route is worth caching. */
export interface AdviceVerdict {
  readonly kind: typeof ADVICE_KINDS[number]
  /** The reason for the verdict, such as `100 % one-hit keys`; `undefined` for `good`. */
  readonly reason?: string | undefined
  /** The change after which the verdict would be another one, such as `200 more requests`; absent in reports of older releases. */
  readonly remedy?: string | undefined
}

/** The verdict on a key pattern or route as text: `good`, `poor: 100 % one-hit keys`. */
export function verdictText ({ kind, reason }: AdviceVerdict): string {
  return reason === undefined ? kind : `${kind}: ${reason}`
}
