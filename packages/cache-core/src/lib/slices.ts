import { setImmediate as nextTurn } from 'node:timers/promises'

/** The number of items that are handled in one turn of the event loop: some 10 ms of calls to a store. */
const SLICE = 256

/**
 * Calls a function for each item, at most 256 in one turn of the event loop. The replies to calls of one slice are read before the next
 * slice begins: thousands of calls at once would exceed their time limits, and a store that answers in time would be taken for one that is
 * away.
 */
export async function inSlices<T> (items: readonly T[], handle: (item: T) => void): Promise<void> {
  for (let at = 0; at < items.length; at++) {
    if (at > 0 && at % SLICE === 0) await nextTurn()
    handle(items[at]!)
  }
}
