/** The kinds of accesses that a reuse curve simulates; the number of the entry's tags before a tag is added to TAG. */
export const READ = 0
export const REMOVAL = 1
export const INVALIDATION = 2
export const CLEAR = 3
export const TAG = 4
