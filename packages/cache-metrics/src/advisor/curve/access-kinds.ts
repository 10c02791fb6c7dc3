/** The kinds of accesses that a reuse curve simulates. The kind of a tag is TAG plus the number of tags that the entry had before it. */
export const READ = 0
export const REMOVAL = 1
export const INVALIDATION = 2
export const CLEAR = 3
export const TAG = 4
