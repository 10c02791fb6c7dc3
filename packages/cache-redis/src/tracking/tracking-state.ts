import type { Node } from '../connection/node.js'
import type { RedisStatus } from '../status.js'

/** Whether the invalidation channel works, over all masters: `trusted` while the messages of each master are tracked. */
export class TrackingState {
  value: RedisStatus['tracking'] = 'in doubt'
  readonly #isOff: boolean
  readonly #changed: () => void

  /**
   * @param isOff tracking is never used (`consistency: 'strong'`)
   * @param changed is called after `value` has changed
   */
  constructor (isOff: boolean, changed: () => void) {
    this.#isOff = isOff
    this.#changed = changed
  }

  /** Computes the value anew; a node whose server identity is not known counts as no master. */
  note (nodes: Iterable<Node>): void {
    const masters = [...nodes].filter(({ serverId }) => serverId !== undefined)
    const value = this.#isOff ? 'off' : masters.length > 0 && masters.every(({ isTracked }) => isTracked) ? 'trusted' : 'in doubt'
    if (value === this.value) return
    this.value = value
    this.#changed()
  }
}
