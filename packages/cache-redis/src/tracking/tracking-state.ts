import type { Node } from '../connection/node.js'
import type { RedisStatus } from '../status.js'

/**
 * The state of the tracking of all masters: `trusted` while the process receives the messages of each master, `in doubt` otherwise; `off`
 * if tracking is never used.
 */
export class TrackingState {
  value: RedisStatus['tracking'] = 'in doubt'
  readonly #isOff: boolean
  readonly #changed: () => void

  /**
   * Makes the state of the tracking, which is `in doubt` at first.
   * @param isOff whether tracking is never used (`consistency: 'strong'`)
   * @param changed called after `value` has changed
   */
  constructor (isOff: boolean, changed: () => void) {
    this.#isOff = isOff
    this.#changed = changed
  }

  /** Computes the state of the tracking from the present masters; a node whose server identity is not known does not count as a master. */
  note (nodes: Iterable<Node>): void {
    const masters = [...nodes].filter(({ serverId }) => serverId !== undefined)
    const value = this.#isOff ? 'off' : masters.length > 0 && masters.every(({ isTracked }) => isTracked) ? 'trusted' : 'in doubt'
    if (value === this.value) return
    this.value = value
    this.#changed()
  }
}
